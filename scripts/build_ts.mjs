// Compiles src/ twice: dist/esm for import, dist/cjs for require. The CommonJS pass works on a copy in which the one module
// that needs import.meta is replaced, and which a package.json declares to be CommonJS.
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc');
const compile = (project) => execFileSync(process.execPath, [tsc, '-p', project], { cwd: root, stdio: 'inherit' });

rmSync(join(root, 'dist'), { recursive: true, force: true });
compile('tsconfig.esm.json');

const copy = join(root, 'build', 'cjs');
rmSync(copy, { recursive: true, force: true });
mkdirSync(copy, { recursive: true });
cpSync(join(root, 'src'), join(copy, 'src'), { recursive: true });
const commonjs = JSON.stringify({ type: 'commonjs' });
writeFileSync(join(copy, 'package.json'), commonjs);
writeFileSync(
  join(copy, 'src', 'native', 'here.ts'),
  "import { pathToFileURL } from 'node:url';\nexport const here: string = pathToFileURL(__filename).href;\n",
);
writeFileSync(
  join(copy, 'tsconfig.json'),
  JSON.stringify({
    extends: '../../tsconfig.json',
    compilerOptions: { rootDir: 'src', outDir: '../../dist/cjs', sourceMap: false },
    include: ['src'],
  }),
);
compile(join('build', 'cjs', 'tsconfig.json'));
writeFileSync(join(root, 'dist', 'cjs', 'package.json'), commonjs);
