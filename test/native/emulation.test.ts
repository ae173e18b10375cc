// The emulation of CUDA finds what it promises to find: emulation.cpp breaks one rule after another.
import { execFileSync, spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { packageRoot } from '../../src/native/load.js';

const compiler = process.env.CXX ?? 'g++';
const skip =
  process.platform !== 'linux' ? 'Linux only' : spawnSync(compiler, ['--version']).status === 0 ? false : `${compiler} is not installed`;

/** The program, compiled: its scenarios by name. */
function build(folder: string): string {
  const program = join(folder, 'emulation');
  const sources = ['test/native/emulation.cpp', 'cuda/emulated/fibers.cpp', 'cuda/emulated/runtime.cpp'];
  const flags = ['-std=c++20', '-O1', '-ffp-contract=off', '-Icuda/emulated', '-Icuda', '-Inative'];
  execFileSync(compiler, [...flags, '-o', program, ...sources, '-lpthread'], { cwd: packageRoot(), stdio: ['ignore', 'inherit', 'pipe'] });
  return program;
}

/** Scenarios that end the process, and its last words. */
const deadly: Record<string, RegExp> = {
  barrier_that_some_threads_skip: /some threads have ended while others wait at __syncthreads/,
  warp_barrier_that_some_lanes_skip: /some lanes wait for others of their warp/,
  exchange_with_an_absent_lane: /a lane asks one that is not in the mask/,
  mask_without_oneself: /whose mask leaves it out/,
  write_past_the_end: /wrote \d+ bytes past the end of an array of 400 bytes/,
  read_of_a_page_past_the_end: /^$/, // a segmentation fault says nothing
  misaligned_asynchronous_copy: /an asynchronous copy is misaligned/,
  more_shared_memory_than_a_block_has: /227 KiB of shared memory/,
  grid_that_is_too_high: /65535/,
};

t.test('mistakes in kernels are found, and what is right passes', { skip }, async (t) => {
  const folder = t.testdir();
  const program = build(folder);
  const run = (name: string) => spawnSync(program, [name], { encoding: 'utf8', timeout: 60_000 });
  const { stdout, status } = run('');
  t.equal(status, 2);
  const names = stdout.trim().split('\n');
  for (const name of Object.keys(deadly)) t.ok(names.includes(name), `${name} exists`);
  for (const name of names) {
    const { status, signal, stderr } = run(name);
    const words = deadly[name];
    if (words) {
      t.match(signal, /SIGABRT|SIGSEGV/, `${name} ends the process`);
      t.match(stderr, words, name);
    } else t.same({ status, stderr }, { status: 0, stderr: '' }, name);
  }
  rmSync(program);
});
