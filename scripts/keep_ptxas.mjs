// What CMake runs nvcc through (CMakeLists.txt):  node scripts/keep_ptxas.mjs nvcc -o x.cu.o ...
// ptxas tells what each kernel needs; that goes into x.cu.o.ptxas, beside the object, and everything else to the terminal. So a build
// that compiles two files at once, or only those that have changed, still has the words on all of them.
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';

const [program, ...words] = process.argv.slice(2);
const { status, stdout, stderr, error } = spawnSync(program, words, { encoding: 'utf8', maxBuffer: 1 << 28 });
if (error) throw error;
const ofPtxas = /^ptxas info|^\s+(Function properties for|\d+ bytes stack frame)/;
const lines = `${stdout}${stderr}`.split('\n').filter(Boolean);
const object = words[words.indexOf('-o') + 1];
if (words.includes('-o') && object.endsWith('.o'))
  writeFileSync(`${object}.ptxas`, lines.filter((line) => ofPtxas.test(line)).join('\n') + '\n');
for (const line of lines.filter((line) => !ofPtxas.test(line))) console.error(line);
process.exitCode = status ?? 1;
