// `uam doctor`: what the package runs on, and whether it computes what it should.
import { cpus, freemem, release, totalmem } from 'node:os';
import type { Command } from 'commander';
import { type CudaCard, loadAddon, packageVersion, platformName } from '../native/load.js';
import type { CliCommand, CommonFlags } from './command.js';
import { EXIT } from './exit_codes.js';
import type { TestResult } from './self_test.js';
import { bytesText, textList } from './text_table.js';
import { type ThreadLimit, threadLimits, threadsText } from './thread_limits.js';

export interface DoctorFlags extends CommonFlags {
  json?: boolean;
}

interface Diagnosis {
  version: string;
  node: string;
  platform: string;
  system: string;
  libc: string | null;
  processor: string;
  /** `path` where it loaded, else why it did not. */
  addon: { path: string | null; reason: string };
  isa: { used: string; best: string } | null;
  threads: { count: number; limits: ThreadLimit[] };
  cuda: string;
  /** The card that 'cuda' means; null without one. */
  card: CudaCard | null;
  /** Bytes. */
  memory: { total: number; free: number; limit: number | null };
  packages: { name: string; version: string | null; reason: string }[];
  selfTest: TestResult[];
  /** What is to be mended; empty where all is well. */
  problems: string[];
}

const help = `
Ends with 0 where all is well, 69 where a part is missing (the native addon, a package), 70 where a result is wrong.`;

export const doctorCommand: CliCommand<DoctorFlags> = {
  flags(command: Command): void {
    command.option('--json', 'print all of it as JSON').addHelpText('after', help);
  },

  async run(flags, { session }) {
    const diagnosis = await diagnose();
    await session.print(flags.json ? `${JSON.stringify(diagnosis, null, 2)}\n` : diagnosisText(diagnosis));
    for (const problem of diagnosis.problems) session.log.warn(problem);
    if (diagnosis.addon.path === null || diagnosis.packages.some(({ version }) => version === null)) return EXIT.device;
    return diagnosis.selfTest.every(({ ok }) => ok) ? EXIT.ok : EXIT.bug;
  },
};

async function diagnose(): Promise<Diagnosis> {
  const loaded = addonState();
  const runtime = loaded.addon?.runtime;
  const packages = [await packageState('sharp', sharpVersion), await packageState('geotiff', geotiffLoads)];
  // Without the addon there is nothing to compare with the definitions.
  const selfTest = runtime ? await (await import('./self_test.js')).selfTest() : [];
  const problems = [
    ...(loaded.addon ? [] : [`the native addon does not load: ${loaded.reason}`]),
    ...packages.filter(({ version }) => version === null).map(({ name, reason }) => `the package ${name} does not load: ${reason}`),
    ...selfTest.filter(({ ok }) => !ok).map(({ name, detail }) => `${name}: ${detail}`),
  ];
  const [processor] = cpus();
  return {
    ...{ version: packageVersion(), node: process.version, platform: platformName(), system: `${process.platform} ${release()}` },
    ...{ libc: libcVersion(), processor: processor?.model.trim() ?? 'unknown' },
    addon: { path: loaded.path ?? null, reason: loaded.reason },
    isa: runtime ? { used: runtime.isa(), best: runtime.bestIsa() } : null,
    threads: { count: runtime?.threads() ?? 1, limits: threadLimits() },
    cuda: runtime?.cudaStatus() ?? 'unknown: there is no addon to ask',
    card: loaded.addon?.cuda ? loaded.addon.device.card() : null,
    memory: { total: totalmem(), free: freemem(), limit: memoryLimit() },
    ...{ packages, selfTest, problems },
  };
}

/** The addon, or why there is none: also where a setting such as UAM_THREADS is refused. */
function addonState(): ReturnType<typeof loadAddon> {
  try {
    return loadAddon();
  } catch (error) {
    return { reason: (error as Error).message };
  }
}

/** @param load gives the version, or throws */
async function packageState(name: string, load: () => Promise<string>): Promise<Diagnosis['packages'][number]> {
  try {
    return { name, version: await load(), reason: '' };
  } catch (error) {
    return { name, version: null, reason: (error as Error).message };
  }
}

async function sharpVersion(): Promise<string> {
  const { default: sharp } = await import('sharp');
  return `${sharp.versions.sharp ?? '?'} (libvips ${sharp.versions.vips})`;
}

async function geotiffLoads(): Promise<string> {
  await import('geotiff');
  return 'loads';
}

/** Which C library. */
function libcVersion(): string | null {
  if (process.platform !== 'linux') return null;
  const { header } = process.report.getReport() as { header?: { glibcVersionRuntime?: string } };
  return header?.glibcVersionRuntime ? `glibc ${header.glibcVersionRuntime}` : 'musl';
}

/** What a container allows, where it is less than the machine has. */
function memoryLimit(): number | null {
  const limit = process.constrainedMemory?.() ?? 0;
  return limit > 0 && limit < totalmem() ? limit : null;
}

/** CUDA versions come as 1000 major + 10 minor. */
const cudaVersion = (version: number): string => `${Math.floor(version / 1000)}.${Math.floor((version % 1000) / 10)}`;

function cardFacts({ name, index, capability, driver, runtime, memory, free, architectures }: CudaCard): [string, string][] {
  return [
    ['card', `cuda:${index}, ${name}, compute capability ${capability}, ${bytesText(memory)}, ${bytesText(free)} free`],
    ['CUDA versions', `driver ${cudaVersion(driver)}, runtime ${cudaVersion(runtime)}`],
    ['compiled for', architectures],
  ];
}

function diagnosisText(found: Diagnosis): string {
  const { addon, isa, threads, memory, packages, selfTest, problems } = found;
  const limit = memory.limit === null ? '' : `; this process may use ${bytesText(memory.limit)}`;
  const facts = textList([
    ['uam', found.version],
    ['node', found.node],
    ['platform', `${found.platform} (${found.system}${found.libc ? `, ${found.libc}` : ''})`],
    ['processor', found.processor],
    ['addon', addon.path ?? 'does not load; the slow TypeScript definitions run in its place (see below)'],
    ['instruction set', isa ? `${isa.used}${isa.used === isa.best ? '' : ` (UAM_ISA; the processor has ${isa.best})`}` : 'none'],
    ['threads', threadsText(threads.count, threads.limits)],
    ['CUDA', found.cuda],
    ...(found.card ? cardFacts(found.card) : []),
    ['memory', `${bytesText(memory.total)}, ${bytesText(memory.free)} free${limit}`],
    ...packages.map(({ name, version }): [string, string] => [name, version ?? 'does not load']),
  ]);
  const tests = textList([
    ...selfTest.map(({ name, ok, detail, ms }): [string, string] => [name, `${ok ? 'ok' : 'WRONG'}  ${detail}  (${ms} ms)`]),
    ['', problems.length === 0 ? 'all is well' : `${problems.length} to be mended`],
  ]);
  return `${facts}\n${tests}`;
}
