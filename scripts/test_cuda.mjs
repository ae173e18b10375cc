// Runs the compiled tests that prove kernels on device 'cuda', prints them as TAP, and asks that every kernel with a CUDA side was called.
//   node scripts/test_cuda.mjs emulated [text]     on the addon whose CUDA kernels run on the CPU; no card is needed
//   node scripts/test_cuda.mjs card [text]         on the addon with CUDA and the card of this machine
//   node scripts/test_cuda.mjs sanitize [text]     as `card`, under compute-sanitizer's memcheck and then its racecheck
// `text` takes only the files whose path contains it (then nothing is said about kernels that were not called). Without a card, or without
// compute-sanitizer, the latter two say so and end with code 69.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism, tmpdir } from 'node:os';
import { delimiter, dirname, join, relative } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const ABSENT = 69; // EX_UNAVAILABLE of sysexits.h: what this needs is not here
const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const compiled = join(root, 'build', 'js', 'test');
const [mode = '', filter = ''] = process.argv.slice(2);
const addons = { emulated: 'build-emulated', card: 'build-cuda', sanitize: 'build-cuda' };
if (!addons[mode]) throw new Error('usage: node scripts/test_cuda.mjs emulated | card | sanitize [text]');
const addon = join(root, addons[mode], 'Release', 'uam_native.node');

function absent(reason) {
  console.error(`npm run test:cuda${mode === 'card' ? '' : `-${mode}`}: ${reason}`);
  process.exit(ABSENT);
}

/** What compute-sanitizer is called here. */
function findSanitizer() {
  const { CUDA_HOME, PATH = '' } = process.env;
  const folders = [...(CUDA_HOME ? [join(CUDA_HOME, 'bin')] : []), ...PATH.split(delimiter), '/usr/local/cuda/bin'];
  return folders.map((folder) => join(folder, 'compute-sanitizer')).find((path) => existsSync(path));
}

if (!existsSync(addon)) {
  if (mode === 'emulated') throw new Error('the emulated addon is not built: npm run build:emulated');
  absent('the addon with CUDA is not built: npm run build:cuda');
}
if (mode !== 'emulated') {
  const status = createRequire(import.meta.url)(addon).runtime.cudaStatus();
  if (!status.startsWith('ready')) absent(status);
}
const sanitizer = mode === 'sanitize' ? findSanitizer() : undefined;
if (mode === 'sanitize' && !sanitizer)
  absent('compute-sanitizer was not found in CUDA_HOME, on PATH or in /usr/local/cuda/bin: install the CUDA toolkit');

// ---- which files ----
const asksForCuda = /\b(testBackends|hasCuda|testOp|testClass)\b/;
const onlyCpu = /[\\/](cells|image)[\\/]/; // their kernels run on the CPU whatever the device
const slow = /(joint_model|demo_tile|uam[\\/]gradients)\.test\.js$/; // whole models, large: the emulation would take minutes; on_card has small ones
const ofEmulation = /[\\/](native[\\/]emulation|bench[\\/]cuda_bench)\.test\.js$/; // of the emulation itself, and what runs on nothing else
const underSanitizer = /tensor[\\/]device\.test\.js$/; // it asks for memory that no card has

function testFiles() {
  const every = readdirSync(compiled, { recursive: true })
    .map((file) => join(compiled, String(file)))
    .filter((file) => file.endsWith('.test.js') && file.includes(filter))
    .sort();
  return every.filter(
    (file) =>
      (ofEmulation.test(file) ? mode === 'emulated' : asksForCuda.test(readFileSync(file, 'utf8'))) &&
      !onlyCpu.test(file) &&
      !(mode !== 'card' && slow.test(file)) &&
      !(mode === 'sanitize' && underSanitizer.test(file)),
  );
}

// ---- running them ----
const MINUTES = { emulated: 6, card: 10, sanitize: 60 }; // for one file
const calls = join(mkdtempSync(join(tmpdir(), 'uam-cuda-calls-')), 'kernels');
writeFileSync(calls, '');
const env = {
  ...process.env,
  UAM_ADDON: addon,
  UAM_CUDA_CALLS: calls,
  UAM_TEST_BACKENDS: 'cuda', // `npm test` proves the others
  TAP_TIMEOUT: String(60 * MINUTES[mode]),
  ...(mode === 'sanitize' ? { UAM_SANITIZE: '1' } : {}), // tests that measure memory or time skip themselves
};
const counting = ['--import', pathToFileURL(join(compiled, 'support', 'cuda_calls.js')).href];

/** The words of one run of a file: compute-sanitizer's come first. */
function command(file, tool) {
  const node = [process.execPath, ...counting, file];
  return tool ? [sanitizer, '--tool', tool, '--error-exitcode', '99', '--print-limit', '20', ...node] : node;
}

/** Runs one test file; its promise says whether it passed. */
function run(file, tool) {
  return new Promise((resolve) => {
    const [program, ...words] = command(file, tool);
    const child = spawn(program, words, { cwd: root, env });
    const output = [];
    child.stdout.on('data', (chunk) => output.push(chunk));
    child.stderr.on('data', (chunk) => output.push(chunk));
    const timer = setTimeout(() => child.kill('SIGKILL'), MINUTES[mode] * 60_000);
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      resolve({ passed: code === 0, text: `${Buffer.concat(output).toString().slice(-20_000)}\n# exit code ${code}, signal ${signal}` });
    });
  });
}

/** Kernels of native/kernels.def with a CUDA side. */
function kernelsOnCuda() {
  const text = readFileSync(join(root, 'native', 'kernels.def'), 'utf8');
  return [...text.matchAll(/^UAM_KERNEL\((\w+),\s*\w+,\s*[01],\s*1\)/gm)].map(([, name]) => name);
}

const files = testFiles();
if (files.length === 0) throw new Error(`no compiled test that proves kernels matches '${filter}': run npm run build:dev`);
const runs = (mode === 'sanitize' ? ['memcheck', 'racecheck'] : ['']).flatMap((tool) => files.map((file) => ({ file, tool })));
const whole = filter === '';
const queue = runs.entries();
let failed = 0;
async function work() {
  for (const [index, { file, tool }] of queue) {
    const started = performance.now();
    const { passed, text } = await run(file, tool);
    const name = `${relative(compiled, file)} on ${mode === 'emulated' ? 'emulated CUDA' : 'the card'}${tool && ` under ${tool}`}`;
    console.log(`${passed ? 'ok' : 'not ok'} ${index + 1} - ${name} # time=${Math.round(performance.now() - started)}ms`);
    if (passed) continue;
    failed++;
    console.log(text.replace(/^/gm, '#   '));
  }
}
console.log('TAP version 14');
console.log(`1..${runs.length + (whole ? 1 : 0)}`);
const workers = mode === 'emulated' ? Math.min(2, availableParallelism()) : 1; // a card is no faster for two
await Promise.all(Array.from({ length: workers }, work));

if (whole) {
  const called = new Set(readFileSync(calls, 'utf8').split('\n'));
  const kernels = kernelsOnCuda();
  const never = kernels.filter((name) => !called.has(name));
  if (never.length > 0) failed++;
  console.log(
    `${never.length > 0 ? 'not ok' : 'ok'} ${runs.length + 1} - each of the ${kernels.length} kernels with a CUDA side was called`,
  );
  if (never.length > 0) console.log(`#   never called: ${never.join(', ')}`);
}
rmSync(dirname(calls), { recursive: true });
process.exitCode = failed > 0 ? 1 : 0;
