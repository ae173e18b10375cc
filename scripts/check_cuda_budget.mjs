// What every CUDA kernel may need, against what ptxas said when it was built (npm run build:cuda keeps that in build-cuda/ptxas.log):
//   node scripts/check_cuda_budget.mjs [--write] [--log file] [--budget file]
// Fails on a register that is spilled to memory, on a stack frame that cuda/budget.json gives no reason for, on a kernel that needs more
// registers or static shared memory than it may, and on kernels that either side does not know. --write sets the budget to what was found
// (reasons stay). Registers are compared only where the compiler is the one that the budget was written with; another's are told.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const { values } = parseArgs({
  options: {
    write: { type: 'boolean', default: false },
    log: { type: 'string', default: join(root, 'build-cuda', 'ptxas.log') },
    budget: { type: 'string', default: join(root, 'cuda', 'budget.json') },
  },
});
const about = [
  'What each kernel may need: [registers a thread, bytes of static shared memory a block], the most over all architectures.',
  'npm run check:cuda-budget compares; with -- --write it sets what was found. A kernel in "stack" has a stack frame for the reason told.',
];

/** Names as in the source, without what every kernel shares: the namespace and the parameters. */
function demangle(names) {
  const plain = execFileSync('c++filt', { input: names.join('\n'), encoding: 'utf8', maxBuffer: 1 << 28 })
    .trimEnd()
    .split('\n');
  return new Map(names.map((name, i) => [name, shortName(plain[i])]));
}

function shortName(name) {
  const text = name
    .replaceAll('(anonymous namespace)::', '')
    .replace(/_INTERNAL_\w+?::/g, '')
    .replace(/\((?:int|bool|unsigned int|long|unsigned long|unsigned char)\)/g, '') // casts of template arguments
    .replace(/^void /, '')
    .replaceAll(/uam::(cuda::)?/g, '');
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    if (text[i] === '<') depth++;
    else if (text[i] === '>') depth--;
    else if (text[i] === '(' && depth === 0) return text.slice(0, i); // parameters
  }
  return text;
}

/** What each kernel needs on each architecture. Functions that a kernel calls and that were not put inline count for it. */
function readLog(text) {
  const found = [];
  for (const line of text.split('\n')) {
    const entry = /Compiling entry function '(\S+)' for '(\S+)'/.exec(line);
    if (entry) found.push({ name: entry[1], architecture: entry[2], stack: 0, spills: 0 });
    const kernel = found.at(-1);
    if (!kernel) continue;
    const frame = /(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads/.exec(line);
    if (frame) {
      kernel.stack += Number(frame[1]);
      kernel.spills += Number(frame[2]) + Number(frame[3]);
    }
    const used = /Used (\d+) registers/.exec(line);
    if (used) {
      kernel.registers = Number(used[1]);
      kernel.shared = Number(/(\d+) bytes smem/.exec(line)?.[1] ?? 0);
    }
  }
  const names = demangle([...new Set(found.map(({ name }) => name))]);
  return found.map((needs) => ({ ...needs, name: names.get(needs.name) }));
}

/** The most that a kernel needs on any architecture. */
function mostOf(found) {
  const most = new Map();
  for (const { name, registers, shared } of found) {
    const [r, s] = most.get(name) ?? [0, 0];
    most.set(name, [Math.max(r, registers), Math.max(s, shared)]);
  }
  return most;
}

if (!existsSync(values.log)) throw new Error(`${values.log} is absent: npm run build:cuda writes it`);
const text = readFileSync(values.log, 'utf8');
const compiler = /^# (nvcc .+)$/m.exec(text)?.[1] ?? 'unknown';
const found = readLog(text);
if (found.length === 0) throw new Error(`${values.log} names no kernel`);
const budget = existsSync(values.budget) ? JSON.parse(readFileSync(values.budget, 'utf8')) : { compiler, stack: {}, kernels: {} };
const most = mostOf(found);
const problems = [];

for (const { name, architecture, registers, spills, stack } of found) {
  if (registers === undefined) problems.push(`${name} (${architecture}): the log does not say what it needs`);
  if (spills > 0) problems.push(`${name} (${architecture}): ${spills} bytes of registers are spilled to memory`);
  else if (stack > 0 && !budget.stack[name])
    problems.push(`${name} (${architecture}): a stack frame of ${stack} bytes, and "stack" gives no reason for it`);
}

if (values.write) {
  const kernels = [...most]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, needs]) => `    ${JSON.stringify(name)}: [${needs.join(', ')}]`);
  const reasons = Object.entries(budget.stack).filter(([name]) => most.has(name));
  const lines = reasons.map(([name, reason]) => `    ${JSON.stringify(name)}: ${JSON.stringify(reason)}`);
  const stack = lines.length > 0 ? `{\n${lines.join(',\n')}\n  }` : '{}';
  writeFileSync(
    values.budget,
    `{\n  "about": [\n${about.map((line) => `    ${JSON.stringify(line)}`).join(',\n')}\n  ],\n  "compiler": ${JSON.stringify(compiler)},\n` +
      `  "stack": ${stack},\n  "kernels": {\n${kernels.join(',\n')}\n  }\n}\n`,
  );
} else {
  const sameCompiler = compiler === budget.compiler;
  if (!sameCompiler)
    console.log(`registers are told, not judged: the budget is for ${budget.compiler}, this build's compiler is ${compiler}`);
  for (const [name, [registers, shared]] of most) {
    const allowed = budget.kernels[name];
    if (!allowed) {
      problems.push(`${name} is not in the budget (--write adds it)`);
      continue;
    }
    if (registers > allowed[0]) {
      const words = `${name} needs ${registers} registers, ${allowed[0]} are its budget`;
      if (sameCompiler) problems.push(words);
      else console.log(words);
    }
    if (shared > allowed[1]) problems.push(`${name} needs ${shared} bytes of shared memory, ${allowed[1]} are its budget`);
  }
  for (const name of Object.keys(budget.kernels)) if (!most.has(name)) problems.push(`${name} is in the budget, but is no kernel any more`);
  for (const name of Object.keys(budget.stack)) if (!most.has(name)) problems.push(`"stack" names ${name}, which is no kernel any more`);
}

const architectures = [...new Set(found.map(({ architecture }) => architecture))].join(', ');
const registers = Math.max(...[...most.values()].map(([r]) => r));
console.log(`${most.size} kernels for ${architectures}: ${registers} registers at most${values.write ? '; the budget is written' : ''}`);
for (const problem of problems) console.log(`over budget: ${problem}`);
process.exitCode = problems.length > 0 ? 1 : 0;
