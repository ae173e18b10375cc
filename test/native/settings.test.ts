// UAM_THREADS, UAM_ISA and Slurm's word, each in a process of its own: they are read once, when the addon loads.
import { spawnSync } from 'node:child_process';
import { availableParallelism } from 'node:os';
import t from 'tap';
import { nativeRuntime } from '../../src/native/device.js';
import { packageRoot } from '../../src/native/load.js';
import { runModule, sources } from '../support/child.js';

/** What runtimeInfo() says under these settings, or the error it throws. */
function info(env: Record<string, string | undefined>) {
  const clean = { UAM_THREADS: undefined, UAM_ISA: undefined, SLURM_CPUS_PER_TASK: undefined };
  const program = `
    import { runtimeInfo } from '${sources}index.js';
    let answer;
    try { answer = runtimeInfo(); } catch ({ name, code, message }) { answer = { name, code, message }; }
    console.log(JSON.stringify(answer));`;
  const result = runModule(program, { ...clean, ...env });
  return { ...result, answer: JSON.parse(result.stdout || '{}') };
}

t.test('UAM_THREADS sets the number of threads', async (t) => {
  t.equal(info({ UAM_THREADS: '3' }).answer.threads, 3);
  t.equal(info({ UAM_THREADS: '3', SLURM_CPUS_PER_TASK: '1' }).answer.threads, 3, 'it is stronger than Slurm');
});

t.test('a bad UAM_THREADS is a clear error', async (t) => {
  for (const value of ['0', '-1', 'two', '2.5', '5000', '3 ']) {
    const { answer } = info({ UAM_THREADS: value });
    t.match(answer, { name: 'UamError', code: 'UAM_ARGUMENT' }, value);
    t.match(answer.message, `UAM_THREADS must be an integer from 1 to 1024, received '${value}'`);
  }
});

t.test('without it, affinity, cgroup and Slurm decide: never more than the least of them', async (t) => {
  const { threads } = info({}).answer;
  t.ok(threads >= 1 && threads <= availableParallelism(), `${threads} threads`);
  t.equal(info({ UAM_THREADS: '' }).answer.threads, threads, 'empty is as good as absent');
  t.equal(info({ SLURM_CPUS_PER_TASK: '1' }).answer.threads, 1);
  t.equal(info({ SLURM_CPUS_PER_TASK: '900' }).answer.threads, threads);
  t.equal(info({ SLURM_CPUS_PER_TASK: 'many' }).answer.threads, threads, 'nonsense from Slurm is ignored');
});

t.test('the affinity mask bounds the threads', { skip: process.platform !== 'linux' && 'Linux only' }, async (t) => {
  const mask = spawnSync('taskset', ['-pc', String(process.pid)], { encoding: 'utf8' });
  const first = mask.stdout?.match(/: (\d+)/)?.[1];
  if (!first) return t.comment('taskset is not installed');
  const program = `import { runtimeInfo } from '${sources}index.js'; console.log(runtimeInfo().threads)`;
  const env = { ...process.env, UAM_THREADS: '' };
  const args = ['-c', first, process.execPath, '--input-type=module', '--eval', program];
  t.equal(spawnSync('taskset', args, { encoding: 'utf8', env, cwd: packageRoot() }).stdout.trim(), '1');
});

t.test('UAM_ISA forces an instruction set', async (t) => {
  const names = ['baseline', 'avx2', 'avx512'];
  const best = nativeRuntime()?.bestIsa() ?? 'baseline';
  for (const name of names) {
    const { answer } = info({ UAM_ISA: name });
    if (names.indexOf(name) <= names.indexOf(best)) t.equal(answer.isa, name);
    else t.match(answer, { name: 'UamError', code: 'UAM_ARGUMENT', message: /lacks/ });
  }
  t.equal(info({ UAM_ISA: '' }).answer.isa, best);
  t.match(info({ UAM_ISA: 'sse9' }).answer, {
    name: 'UamError',
    code: 'UAM_ARGUMENT',
    message: /baseline, avx2 or avx512, received 'sse9'/,
  });
});
