// Builds the addon whose CUDA kernels run on the CPU (cuda/emulated/), into build-emulated/Release/uam_native.node:
//   npm run build:emulated
// The host's objects are those of `npm run build:native`; the sources of cuda/ are compiled as C++. Only what changed is
// compiled again (the compiler writes down what each file includes).
import { execFile, execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const require = createRequire(import.meta.url);
const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const sources = require('../native/sources.cjs');
const out = join(root, 'build-emulated');
const objects = join(out, 'objects');
const addon = join(out, 'Release', 'uam_native.node');
const compiler = process.env.CXX ?? 'g++';
const flags = [
  ...[
    '-x',
    'c++',
    '-std=c++20',
    '-O2',
    '-g1',
    '-fPIC',
    '-fvisibility=hidden',
    '-ffp-contract=off',
    '-fno-math-errno',
    '-fno-trapping-math',
  ],
  ...[
    '-Wall',
    '-Wextra',
    '-Wno-unknown-pragmas',
    '-Wno-unused-parameter',
    '-Wno-missing-field-initializers',
    '-Wno-unused-but-set-variable',
    '-Wno-maybe-uninitialized',
    '-Wno-uninitialized',
  ],
  ...['-Icuda/emulated', '-Icuda', '-Inative', '-DUAM_CUDA', '-DUAM_CUDA_ARCHITECTURES="emulated"'],
];

/** Whether the object is older than its source or anything that it includes. */
function stale(object) {
  const list = object.replace(/\.o$/, '.d');
  if (!existsSync(object) || !existsSync(list)) return true;
  const made = statSync(object).mtimeMs;
  const files = readFileSync(list, 'utf8')
    .replace(/^[^:]*:/, '')
    .replaceAll('\\\n', ' ')
    .split(/\s+/)
    .filter(Boolean);
  return files.some((file) => !existsSync(join(root, file)) || statSync(join(root, file)).mtimeMs > made);
}

async function compile(source) {
  const object = join(objects, `${basename(source)}.o`);
  if (!stale(object)) return object;
  const run = promisify(execFile);
  const { stderr } = await run(compiler, [...flags, '-MMD', '-c', source, '-o', object], { cwd: root, maxBuffer: 1 << 26 });
  if (stderr) process.stderr.write(stderr);
  return object;
}

function hostObjects() {
  const folder = join(root, 'build', 'Release', 'obj.target', 'uam_native', 'native');
  if (!existsSync(folder)) throw new Error('build the CPU addon first: npm run build:native');
  return readdirSync(folder, { recursive: true })
    .filter((file) => file.endsWith('.o') && file !== 'backend.o') // it is compiled again, with CUDA
    .map((file) => join(folder, file));
}

mkdirSync(objects, { recursive: true });
mkdirSync(dirname(addon), { recursive: true });
const queue = ['native/backend.cpp', ...sources.emulated(), ...sources.cuda()];
const made = [];
const failures = [];
await Promise.all(
  Array.from({ length: availableParallelism() }, async () => {
    for (let source = queue.shift(); source !== undefined; source = queue.shift()) {
      try {
        made.push(await compile(source));
      } catch (error) {
        failures.push(error.stderr || String(error));
      }
    }
  }),
);
if (failures.length > 0) {
  process.stderr.write(failures.join('\n'));
  process.exit(1);
}
execFileSync(compiler, ['-shared', '-o', addon, ...hostObjects(), ...made.sort(), '-lpthread'], { cwd: root, stdio: 'inherit' });
const report = 'const { runtime } = require(process.argv[1]); console.log(runtime.cudaStatus())';
console.log(
  `built build-emulated/Release/uam_native.node: ${execFileSync(process.execPath, ['-e', report, addon], { encoding: 'utf8' }).trim()}`,
);
