// Builds the addon with cmake-js and loads it once:  node scripts/build_cmake.mjs [cpu | cuda | sanitize]
// A build with CUDA also leaves what ptxas said about each kernel, in build-cuda/ptxas.log, for scripts/check_cuda_budget.mjs.
// Headers come from the npm package node-api-headers ("binary.napi_versions" in package.json), so nothing is downloaded.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const builds = {
  cpu: { out: 'build-cmake', options: () => [] },
  cuda: { out: 'build-cuda', options: () => ['--CDUAM_CUDA=ON', `--CDCMAKE_CUDA_COMPILER=${findNvcc()}`] },
  sanitize: { out: 'build-sanitize', options: () => ['--CDUAM_SANITIZE=ON'] },
};

function findNvcc() {
  const folders = [
    ...(process.env.CUDA_HOME ? [join(process.env.CUDA_HOME, 'bin')] : []),
    ...(process.env.PATH ?? '').split(delimiter),
    '/usr/local/cuda/bin',
  ];
  const found = folders.map((folder) => join(folder, 'nvcc')).find((path) => existsSync(path));
  if (!found)
    throw new Error('nvcc was not found in CUDA_HOME, on PATH or in /usr/local/cuda/bin: install the CUDA toolkit (12.4 or later)');
  return found;
}

const name = process.argv[2] ?? 'cpu';
const build = builds[name];
if (!build) throw new Error(`expected one of ${Object.keys(builds).join(', ')}, received ${name}`);
const cmakeJs = join(dirname(createRequire(import.meta.url).resolve('cmake-js/package.json')), 'bin', 'cmake-js');
const common = ['--out', join(root, build.out), '--directory', root, '--log-level', 'warn', ...build.options()];
const run = (...args) => execFileSync(process.execPath, [cmakeJs, ...args, ...common], { cwd: root, stdio: 'inherit' });
run('configure'); // always: the source list is read at configure time
run('build', '--parallel', String(availableParallelism()));
if (name === 'cuda') keepWordsOfPtxas();

/** One log of what scripts/keep_ptxas.mjs kept beside the objects, old and new. */
function keepWordsOfPtxas() {
  const { cuda } = createRequire(import.meta.url)('../native/sources.cjs');
  const release = /release ([\d.]+), V([\d.]+)/.exec(execFileSync(findNvcc(), ['--version'], { encoding: 'utf8' }));
  const words = cuda().map((source) => {
    const kept = join(root, build.out, 'CMakeFiles', 'uam_native.dir', `${source}.o.ptxas`);
    if (!existsSync(kept)) throw new Error(`${build.out} was begun by an older checkout: delete it and build again`);
    return `# ${source}\n${readFileSync(kept, 'utf8')}`;
  });
  writeFileSync(join(root, build.out, 'ptxas.log'), `# nvcc ${release?.[2] ?? 'unknown'}\n${words.join('')}`);
}

const addon = join(root, build.out, 'Release', 'uam_native.node');
if (name === 'sanitize') {
  console.log(`built ${build.out}/Release/uam_native.node (it loads only with the sanitizer's runtime preloaded)`);
} else {
  const report = "const { runtime } = require(process.argv[1]); console.log('isa', runtime.isa() + '; CUDA:', runtime.cudaStatus())";
  const text = execFileSync(process.execPath, ['-e', report, addon], { encoding: 'utf8' }).trim();
  console.log(`built and loaded ${build.out}/Release/uam_native.node: ${text}`);
  console.log(`use it with UAM_ADDON=${addon}`);
}
