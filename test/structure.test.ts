// The rules of the house (CONTRIBUTING.md), executed.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import t from 'tap';
import { packageRoot } from '../src/native/load.js';

const root = packageRoot();
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

/** Every file under a folder, as paths relative to the package, with `/`. */
function walk(folder: string): string[] {
  if (!existsSync(join(root, folder))) return [];
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(root, join(entry.parentPath, entry.name)).split(sep).join('/'))
    .filter((path) => !path.includes('node_modules/') && !path.startsWith('bench/results/') && !path.includes('/fixtures/'))
    .sort();
}

const native = walk('native');
const cuda = walk('cuda');
const src = walk('src');
const tests = walk('test');
const bench = walk('bench');
const scripts = walk('scripts');
const everything = [...native, ...cuda, ...src, ...tests, ...bench, ...scripts];

/** Which folder of src/ may import which: itself, and what stands before it. */
const order = [
  'errors',
  'files',
  'native',
  'tensor',
  'ops',
  'nn',
  'image',
  'cells',
  'radiomics',
  'tokens',
  'uam',
  'heads',
  'report',
  'train',
  'slides',
  'pipeline',
  'cli',
];
const withoutModel = ['image', 'cells', 'radiomics']; // radiomics works without the model
const model = ['tensor', 'ops', 'nn'];

function allowed(from: string, to: string): boolean {
  if (from === 'index' || from === to) return true;
  if (withoutModel.includes(from) && model.includes(to)) return false;
  if (from === 'nn' && withoutModel.includes(to)) return false;
  return order.indexOf(to) >= 0 && order.indexOf(to) < order.indexOf(from);
}

const area = (path: string): string => (path.split('/')[1] as string).replace(/\.ts$/, '');
const importsOf = (path: string): string[] =>
  [...read(path).matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)].map((match) => match[1] as string);

t.test('src/ imports only from the left', async (t) => {
  for (const path of src) {
    const from = area(path);
    t.ok(from === 'index' || order.includes(from), `${path} lies in a folder that the order names`);
    for (const target of importsOf(path).filter((name) => name.startsWith('.'))) {
      const to = area(
        relative(root, resolve(root, dirname(path), target))
          .split(sep)
          .join('/')
          .replace(/\.js$/, '.ts'),
      );
      if (!allowed(from, to)) t.fail(`${path} (${from}) imports ${target} (${to})`);
    }
  }
});

const includes = (path: string): string[] =>
  [...read(path).matchAll(/^\s*#\s*include\s*[<"]([^>"]+)[>"]/gm)].map((match) => match[1] as string);

t.test('the heavy headers are included in one place each', async (t) => {
  for (const path of [...native, ...cuda].filter((path) => /\.(h|cpp|cu|cuh|def)$/.test(path))) {
    for (const header of includes(path)) {
      if (/^(napi|node_api|js_native_api|node)\.h$/.test(header))
        t.equal(path, 'native/binding/napi_setup.h', `${path} includes ${header}`);
      if (/^(cuda|cub\/|cooperative_groups|mma)/.test(header)) t.ok(path.startsWith('cuda/'), `${path} includes ${header}`);
      if (header.startsWith('binding/')) t.ok(path.startsWith('native/binding/'), `${path} includes ${header}`);
    }
  }
});

interface Kernel {
  name: string;
  params: string;
  onCuda: boolean;
  /** The base name of the contract's header: the op's name everywhere. */
  op: string;
}

/** The lines of kernels.def, each with the header that defines its contract. */
function kernels(): Kernel[] {
  const text = read('native/kernels.def');
  const headers = [...text.matchAll(/#include "kernels\/(\w+)\.h"/g)].map((match) => match[1] as string);
  return [...text.matchAll(/^UAM_KERNEL\((\w+),\s*(\w+),\s*1,\s*([01])\)/gm)].map(([, name = '', params = '', onCuda]) => {
    const op = headers.find((header) => new RegExp(`struct ${params}( : \\w+)? \\{`).test(read(`native/kernels/${header}.h`)));
    return { name, params, onCuda: onCuda === '1', op: op ?? '' };
  });
}

t.test('every kernel has its contract, its loops, one caller, a test and a bench', async (t) => {
  const lines = read('native/kernels.def').match(/^UAM_KERNEL\(/gm) ?? [];
  t.equal(kernels().length, lines.length, 'every line was understood');
  const sources = src.map((path) => ({ path, text: read(path) }));
  for (const { name, params, onCuda, op } of kernels()) {
    if (!op) {
      t.fail(`${name}: no header that kernels.def includes defines struct ${params}`);
      continue;
    }
    const defines = new RegExp(`\\bvoid ${name}\\(const ${params}&`);
    // A long kernel may be split by idea: selective_scan_bwd.cpp beside selective_scan.cpp.
    const loops = native.filter((path) => path.startsWith(`native/kernels/${op}`) && path.endsWith('.cpp'));
    t.ok(
      loops.some((path) => defines.test(read(path))),
      `${name} is defined in ${loops.join(' or ')}`,
    );
    const onDevice = cuda.filter((path) => path.startsWith(`cuda/${op}`) && path.endsWith('.cu'));
    if (onCuda)
      t.ok(
        onDevice.some((path) => defines.test(read(path))),
        `${name} is defined in ${onDevice.join(' or ') || `cuda/${op}.cu`}`,
      );
    const calls = new RegExp(`\\b(?:k|hostK)ernel(<[^()]*>)?\\(\\s*'${name}'`);
    const callers = sources.filter(({ text }) => calls.test(text)).map(({ path }) => path);
    t.equal(callers.length, 1, `${name} has one caller in src/: ${callers.join(', ') || 'none'}`);
    t.ok(
      tests.some((path) => basename(path).startsWith(`${op}.`) && path.endsWith('.test.ts')),
      `${op} has a test`,
    );
    t.ok(bench.includes(`bench/${op}.bench.ts`), `${op} has a bench`);
  }
});

t.test('every file of kernels/ and cuda/ belongs to a kernel', async (t) => {
  const ops = new Set(kernels().map(({ op }) => op));
  const support = [
    'backend.cu',
    'queue.cu',
    'queue.cuh',
    'device.cuh',
    'call.cuh',
    'reduce.cuh',
    'mma.cuh',
    'row_group.cuh',
    'rows.cuh',
    'quads.cuh',
    'strided.cuh',
    'partial_sums.cuh',
    'philox.cuh',
    'column_totals.cuh',
    'loss_total.cuh',
    'prefix_sum.cuh',
    'stable_order.cuh',
    'row_vectors.cuh',
  ];
  for (const path of cuda.filter((path) => /\.cuh?$/.test(path) && !support.includes(basename(path)))) {
    const name = basename(path).replace(/\.\w+$/, '');
    t.ok(
      [...ops].some((op) => name === op || name.startsWith(`${op}_`)),
      path,
    );
  }
  for (const path of native.filter((path) => path.startsWith('native/kernels/') && path.endsWith('.cpp'))) {
    const name = basename(path, '.cpp');
    t.ok(
      [...ops].some((op) => name === op || name.startsWith(`${op}_`)),
      path,
    );
  }
});

t.test('names', async (t) => {
  for (const path of everything) {
    const name = basename(path);
    if (!/^(\..*|[A-Z]+\.md|package-lock\.json)$/.test(name)) t.match(name, /^[a-z0-9_]+(\.[a-z0-9_-]+)*$/, `${path} is snake_case`);
    t.notMatch(name, /^(utils?|helpers?|common|misc)\b/, `${path} says what it is about`);
  }
});

t.test('no file is longer than 500 lines', async (t) => {
  for (const path of everything.filter((path) => /\.(ts|mjs|cjs|h|cpp|cu|cuh|def)$/.test(path))) {
    const lines = read(path).split('\n').length - 1;
    if (lines > 500) t.fail(`${path} has ${lines} lines`);
  }
  t.pass(`${everything.length} files`);
});

t.test('src/ has no module state but what CONTRIBUTING.md names', async (t) => {
  const documented =
    read('CONTRIBUTING.md')
      .match(/<!-- module state: (.*) -->/)?.[1]
      ?.split(', ') ?? [];
  const found = src.flatMap((path) =>
    [
      ...read(path).matchAll(
        /^(?:export )?(?:(?:let|var) (\w+)|const (\w+)(?::[^=]+)? = (?:new (?:Map|Set|WeakMap|WeakSet|Arena)\b|\[\];))/gm,
      ),
    ].map(([, variable, constant]) => `${path}:${variable ?? constant}`),
  );
  t.same(
    found,
    documented.filter((entry) => found.includes(entry)),
    'a new one belongs into an object, or into CONTRIBUTING.md',
  );
  t.same(
    documented.filter((entry) => !found.includes(entry)),
    [],
    'CONTRIBUTING.md names no state that is gone',
  );
});

t.test('both build systems use the same flags and list no source file', async (t) => {
  const gyp = read('binding.gyp');
  const cmake = read('CMakeLists.txt');
  const flags = (gyp.match(/'cflags_cc': \[([\s\S]*?)\]/)?.[1] ?? '').match(/(?<=')-[^']+(?=')/g) ?? [];
  t.ok(flags.length > 5, flags.join(' '));
  for (const flag of flags.filter((flag) => flag !== '-fvisibility=hidden')) t.ok(cmake.includes(flag), `CMakeLists.txt has ${flag}`);
  t.match(cmake, /CXX_VISIBILITY_PRESET hidden/);
  for (const text of [gyp, cmake]) {
    t.match(text, /native\/sources\.cjs/);
    t.notMatch(text, /\w\.(cpp|cu)\b/);
  }
});
