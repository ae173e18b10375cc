import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';
import { packageRoot } from '../../src/native/load.js';

const run = promisify(execFile);
const root = packageRoot();

/** A package without an addon: the compiled sources, and nothing of build/Release. */
function packageWithoutAddon(folder: string): string {
  mkdirSync(join(folder, 'js'), { recursive: true });
  cpSync(join(root, 'build', 'js', 'src'), join(folder, 'js', 'src'), { recursive: true });
  cpSync(join(root, 'package.json'), join(folder, 'package.json'));
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  return join(folder, 'js', 'src', 'index.js');
}

async function evaluate(
  index: string,
  code: string,
  env: Record<string, string> = {},
): Promise<{ stdout: string; stderr: string; failed: boolean }> {
  const script = `const uam = await import(${JSON.stringify(index)});\n${code}`;
  try {
    const result = await run(process.execPath, ['--input-type=module', '-e', script], { env: { ...process.env, ...env } });
    return { ...result, failed: false };
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string };
    return { stdout, stderr, failed: true };
  }
}

const probe =
  'console.log(uam.runtimeInfo().backend, uam.silu(uam.Tensor.from([0, 1])).data[1].toFixed(4)); uam.exp(uam.Tensor.from([1]));';

t.test('without an addon the reference runs, after one honest warning', async (t) => {
  const { stdout, stderr } = await evaluate(packageWithoutAddon(t.testdir()), probe);
  t.equal(stdout.trim(), 'reference 0.7311');
  t.equal(stderr.match(/\[UAM_ADDON\]/g)?.length, 1, stderr);
  t.match(stderr, /could not be loaded on \S+, Node v/);
  t.match(stderr, /prebuilds.*uam_native\.node: no such file/);
  t.match(stderr, /build.Release.uam_native\.node: no such file/);
  t.match(stderr, /npm ci/);
  const forced = await evaluate(join(t.testdirName, 'js', 'src', 'index.js'), "uam.setBackend('cpu');");
  t.ok(forced.failed, 'but never where the CPU kernels were asked for');
  t.match(forced.stderr, /UAM_ADDON/);
});

t.test('a broken addon is named with its cause', async (t) => {
  const index = packageWithoutAddon(t.testdir());
  mkdirSync(join(t.testdirName, 'build', 'Release'), { recursive: true });
  writeFileSync(join(t.testdirName, 'build', 'Release', 'uam_native.node'), 'not a library');
  const { stdout, stderr } = await evaluate(index, probe);
  t.equal(stdout.trim(), 'reference 0.7311');
  t.match(stderr, /uam_native\.node: .*(invalid ELF header|file too short|not valid)/s);
});

t.test('UAM_ADDON names the addon, and must load', async (t) => {
  const index = join(root, 'build', 'js', 'src', 'index.js');
  const good = join(root, 'build', 'Release', 'uam_native.node');
  const { stdout } = await evaluate(index, 'console.log(uam.runtimeInfo().addon);', { UAM_ADDON: good });
  t.equal(stdout.trim(), good);
  const bad = await evaluate(index, probe, { UAM_ADDON: join(root, 'nowhere.node') });
  t.ok(bad.failed);
  t.match(bad.stderr, /UAM_ADDON/);
});

t.test('bad settings are errors, not fallbacks', async (t) => {
  const index = join(root, 'build', 'js', 'src', 'index.js');
  const refused: Record<string, string>[] = [{ UAM_ISA: 'sse9' }, { UAM_THREADS: '0' }, { UAM_THREADS: 'many' }];
  for (const env of refused) {
    const { failed, stderr } = await evaluate(index, probe, env);
    t.ok(failed, JSON.stringify(env));
    t.match(stderr, /UAM_ARGUMENT/);
  }
  const { stdout } = await evaluate(index, 'const { isa, threads } = uam.runtimeInfo(); console.log(isa, threads);', {
    UAM_ISA: 'baseline',
    UAM_THREADS: '3',
  });
  t.equal(stdout.trim(), 'baseline 3');
});
