// Compiles src/ to dist/cjs, and gives `import` a thin module over it. So an application that reaches the package through both
// `import` and `require` has one Tensor class and one arena; and loading one CommonJS tree takes half the time of an ESM tree.
// The declarations are in dist/cjs, once; dist/esm passes them on. Comments stand in these alone: JavaScript without them is a third smaller.
//
// The compiler works on a copy of src/ in which the one module that needs import.meta is replaced, and which a package.json
// declares to be CommonJS. Packages that are ESM only can be reached from src/ by `await import()`, which stays as it is.
import { execFileSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { oneFile } from './one_file.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const require = createRequire(import.meta.url);
const compile = (project) =>
  execFileSync(process.execPath, [require.resolve('typescript/bin/tsc'), '-p', project], { cwd: root, stdio: 'inherit' });
const commonjs = JSON.stringify({ type: 'commonjs' });
const dist = join(root, 'dist');

rmSync(dist, { recursive: true, force: true });
compile('tsconfig.esm.json');

const copy = join(root, 'build', 'cjs');
rmSync(copy, { recursive: true, force: true });
mkdirSync(copy, { recursive: true });
cpSync(join(root, 'src'), join(copy, 'src'), { recursive: true });
writeFileSync(join(copy, 'package.json'), commonjs);
writeFileSync(
  join(copy, 'src', 'native', 'here.ts'),
  "import { pathToFileURL } from 'node:url';\nexport const here: string = pathToFileURL(__filename).href;\n",
);
writeFileSync(
  join(copy, 'tsconfig.json'),
  JSON.stringify({
    extends: '../../tsconfig.json',
    compilerOptions: { rootDir: 'src', outDir: '../../dist/cjs', sourceMap: false, declaration: false, removeComments: true },
    include: ['src'],
  }),
);
compile(join('build', 'cjs', 'tsconfig.json'));
cpSync(join(dist, 'esm'), join(dist, 'cjs'), { recursive: true });
rmSync(join(dist, 'esm'), { recursive: true });
mkdirSync(join(dist, 'esm'));
writeFileSync(join(dist, 'esm', 'index.d.ts'), "export * from '../cjs/index.js';\n");
writeFileSync(join(dist, 'cjs', 'package.json'), commonjs);
chmodSync(join(dist, 'cjs', 'cli', 'main.js'), 0o755); // npm does so on installing; this is for a clone

oneFile(join(dist, 'cjs'));

const names = Object.keys(require(join(dist, 'cjs', 'index.js'))).sort();
writeFileSync(
  join(dist, 'esm', 'index.js'),
  `import uam from '../cjs/index.js';\n\nexport const {\n${names.map((name) => `  ${name},\n`).join('')}} = uam;\n`,
);
