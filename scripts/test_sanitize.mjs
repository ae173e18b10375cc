// Runs the compiled tests of kernels on an addon built with AddressSanitizer and UndefinedBehaviorSanitizer: those of test/native,
// test/ops, test/radiomics, test/cells and test/image. Any report ends the test's process with an error.
// `npm run test:sanitize -- [name]` takes only the test files whose path contains the name. Linux and GCC only.
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const compiled = join(root, 'build', 'js', 'test');
const filter = process.argv[2] ?? '';
const minutes = 5; // for one test file
const otherAddons = /(load|settings|device_workers|emulation|cuda_budget)\.test\.js$/; // or none, or programs of their own
const noKernels =
  /(fuzz|jpeg|png|tiff|number_text|parquet_writer|table|table_writer|parameter_file|features_doc|polygon_files|write_geojson)\.test\.js$/;
const slow = /segment_tiles\.test\.js$/; // minutes, on the kernels that segment.test.js runs
const files = ['native', 'ops', 'radiomics', 'cells', 'image']
  .map((folder) => join(compiled, folder))
  .filter((folder) => existsSync(folder))
  .flatMap((folder) => readdirSync(folder, { recursive: true }).map((file) => join(folder, String(file))))
  .filter(
    (file) => file.endsWith('.test.js') && file.includes(filter) && ![otherAddons, noKernels, slow].some((pattern) => pattern.test(file)),
  )
  .sort();
if (files.length === 0) throw new Error(`no compiled tests in ${relative(root, compiled)} match '${filter}': run npm run build:dev`);

// GCC's runtimes come first in the process: node itself is not built with them. libstdc++ too, or the runtime would not
// find the __cxa_throw that it wraps.
const library = (name) => execFileSync('g++', [`-print-file-name=${name}`], { encoding: 'utf8' }).trim();
const env = {
  ...process.env,
  UAM_ADDON: join(root, 'build-sanitize', 'Release', 'uam_native.node'),
  TAP_TIMEOUT: String(60 * minutes),
  UAM_SANITIZE: '1', // tests that measure memory or time skip themselves
  UAM_TEST_BACKENDS: 'cpu', // the definitions in TypeScript have nothing that a sanitizer could see
  LD_PRELOAD: `${library('libasan.so')} ${library('libstdc++.so')}`,
  ASAN_OPTIONS: 'detect_leaks=0:abort_on_error=0:exitcode=99:allocator_may_return_null=1',
  UBSAN_OPTIONS: 'print_stacktrace=1:halt_on_error=1:exitcode=99',
};

/** Runs one test file; its promise says whether it passed without a report. */
function run(file) {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [file], { cwd: root, env });
    const output = [];
    child.stdout.on('data', (chunk) => output.push(chunk));
    child.stderr.on('data', (chunk) => output.push(chunk));
    const timer = setTimeout(() => child.kill('SIGKILL'), minutes * 60_000);
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      const text = Buffer.concat(output).toString();
      const report = /runtime error:|AddressSanitizer|UndefinedBehaviorSanitizer/.test(text);
      resolve({ passed: code === 0 && !report, text: `${text.slice(-20_000)}\n# exit code ${code}, signal ${signal}` });
    });
  });
}

const queue = files.entries();
let failed = 0;
async function work() {
  for (const [index, file] of queue) {
    const started = performance.now();
    const { passed, text } = await run(file);
    const name = relative(compiled, file);
    console.log(`${passed ? 'ok' : 'not ok'} ${index + 1} - ${name} under sanitizers # time=${Math.round(performance.now() - started)}ms`);
    if (passed) continue;
    failed++;
    console.log(text.replace(/^/gm, '#   '));
  }
}
console.log('TAP version 14');
console.log(`1..${files.length}`);
await Promise.all(Array.from({ length: Math.min(2, availableParallelism()) }, work));
process.exitCode = failed > 0 ? 1 : 0;
