// npm run bench:cuda [-- text] [--quick] [--emulated] [--no-torch] [--minutes 8.5]
//
// The table of a card: its rates, every important kernel against them and against float64, radiomics, and training, with PyTorch beside it.
// One process measures ours and asks the peer in turns, case by case.
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { scope, setMatmulPrecision } from '../../src/index.js';
import { cudaCard, hasCuda, runtimeInfo } from '../../src/native/device.js';
import { packageRoot } from '../../src/native/load.js';
import { median } from '../harness.js';
import { commit, machine } from '../machine.js';
import { Peer } from '../peer_process.js';
import type { PeerShape } from '../peer_shapes.js';
import { type CardRates, floorOf, measureRates } from './card_rates.js';
import { type CudaCase, onCard, type Precision, releaseHeld, timed } from './case.js';
import { kernelCases, productCase } from './kernel_cases.js';
import { radiomicsFigures } from './radiomics_figures.js';
import { type Figure, figureRecord, figureTable, kernelRecord, kernelTable, type Measured, rateText } from './table.js';
import { trainingFigures } from './training_figures.js';

const usage = `npm run bench:cuda [-- text] [options]
  text            only the cases whose kernel or shape contains it (then nothing is stored)
  --quick         a sixth of the time for each case; nothing is stored
  --emulated      tiny sizes on the emulated addon: proves the command, tells no times
  --no-torch      without PyTorch
  --minutes n     begins no case after so many minutes, default 8.5`;

const ABSENT = 69; // EX_UNAVAILABLE of sysexits.h
const log = (line = '') => process.stdout.write(`${line}\n`);

interface Plan {
  milliseconds: number;
  /** Sizes for the emulation, and no times. */
  emulated: boolean;
  deadline: number;
  wanted: string;
  peer: Peer | undefined;
  rates: CardRates;
  /** Cases that were left out, and why. */
  missing: string[];
}

/** Seconds of one call of the peer's, where it knows the shape. */
async function ask(plan: Plan, shape: PeerShape | undefined, what: string): Promise<number | undefined> {
  if (!plan.peer || !shape) return undefined;
  try {
    const seconds = await plan.peer.measure(shape, 1, plan.milliseconds);
    return seconds && median(seconds);
  } catch (error) {
    plan.missing.push(`torch, ${what}: ${(error as Error).message}`);
    return undefined;
  }
}

/** What a case needs on the card, by the name of its kernel in native/kernels.def. */
const kernelOf = (kernel: string) =>
  kernel.replace('selective scan', 'selective_scan').replace(' forward', '_fwd').replace(' backward', '_bwd');

async function measure(item: CudaCase, plan: Plan): Promise<Measured | undefined> {
  const what = `${item.kernel} ${item.shape}${item.precision ? ` ${item.precision}` : ''}`;
  if (!what.includes(plan.wanted)) return undefined;
  if (!onCard(kernelOf(item.kernel))) plan.missing.push(`${what}: this addon has no such kernel for a card`);
  else if (performance.now() > plan.deadline) plan.missing.push(`${what}: out of time`);
  else {
    try {
      const ours = scope(() => {
        const { run, error } = item.setup();
        return { ...timed(run, plan.milliseconds), error: error() };
      });
      releaseHeld();
      const peer = await ask(plan, item.peer, what);
      return { case: item, ...ours, floor: undefined, peer };
    } catch (error) {
      releaseHeld();
      plan.missing.push(`${what}: ${(error as Error).message}`);
    }
  }
  return undefined;
}

/** What large products reach, of ours and the peer's: the floor of those on the tensor cores. */
async function measureMatrixRates(plan: Plan): Promise<void> {
  if (!onCard('gemm')) return;
  for (const precision of ['bf16', 'tf32'] as Precision[]) {
    const size = plan.emulated ? 32 : 8192;
    const large = productCase('square', size, size, size, precision);
    const seconds: number[] = scope(() => [timed(large.setup().run, plan.milliseconds / 2).best]);
    releaseHeld();
    const peer = await ask(plan, large.peer, `square ${precision}`);
    plan.rates.matrix[precision] = (2 * size ** 3) / Math.min(...seconds, ...(peer ? [peer] : []));
  }
}

async function startPeer(): Promise<Peer | undefined> {
  for (const python of ['python3', '/usr/bin/python3']) {
    const outcome = await Peer.start([python, 'torch_cuda.py'], join(packageRoot(), 'bench', 'peers'));
    if (outcome instanceof Peer) return outcome;
    log(`without PyTorch: ${outcome}`);
  }
  return undefined;
}

function describeRates({ copy, fma, exp2, matrix }: CardRates): string {
  const rate = (value: number | undefined, unit: string) => (value ? rateText(value, unit) : 'not measured');
  return [
    `copy ${rate(copy, 'B')}, fp32 ${rate(fma, 'FLOP')}, exponentials ${rate(exp2, 'exp')}`,
    `large products: bf16 ${rate(matrix.bf16, 'FLOP')}, tf32 ${rate(matrix.tf32, 'FLOP')} (of ours or PyTorch's, whichever is faster)`,
  ].join('\n');
}

/** Figures of a generator, with the peer's beside them; one that throws is told. */
async function gather(
  name: string,
  figures: Generator<Figure & { peer?: PeerShape }>,
  plan: Plan,
): Promise<(Figure & { torch?: number })[]> {
  const found: (Figure & { torch?: number })[] = [];
  if (!name.includes(plan.wanted)) return found;
  try {
    for (;;) {
      if (performance.now() > plan.deadline) {
        plan.missing.push(`${name}: out of time`);
        break;
      }
      const { value, done } = figures.next();
      if (done) break;
      const torch = await ask(plan, value.peer, value.name);
      found.push({ ...value, ...(torch && { torch }) });
    }
  } catch (error) {
    releaseHeld();
    plan.missing.push(`${name}: ${(error as Error).message}`);
  }
  return found;
}

/** The results of cards that are in the repository. */
function ranBefore(): boolean {
  const folder = join(packageRoot(), 'bench', 'results');
  return existsSync(folder) && readdirSync(folder).some((file) => /^cuda_.*\.json$/.test(file));
}

function store(card: { name: string }, head: object, kernels: readonly object[], figures: readonly object[]): string {
  const file = join('bench', 'results', `cuda_${card.name.toLowerCase().replace(/\W+/g, '_')}.json`);
  const lines = (records: readonly object[]) => records.map((record) => JSON.stringify(record)).join(',\n');
  const parts = Object.entries(head).map(([key, value]) => `"${key}": ${JSON.stringify(value)}`);
  mkdirSync(join(packageRoot(), 'bench', 'results'), { recursive: true });
  writeFileSync(
    join(packageRoot(), file),
    `{\n${parts.join(',\n')},\n"kernels": [\n${lines(kernels)}\n],\n"figures": [\n${lines(figures)}\n]\n}\n`,
  );
  return file;
}

/** Makes the addon with CUDA the one that is loaded, unless the caller has named one. */
function chooseAddon(emulated: boolean): void {
  const built = join(packageRoot(), emulated ? 'build-emulated' : 'build-cuda', 'Release', 'uam_native.node');
  if (!process.env.UAM_ADDON && existsSync(built)) process.env.UAM_ADDON = built;
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      quick: { type: 'boolean', default: false },
      emulated: { type: 'boolean', default: false },
      'no-torch': { type: 'boolean', default: false },
      minutes: { type: 'string', default: '8.5' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    log(usage);
    return 0;
  }
  const { emulated } = values;
  const [wanted = ''] = positionals;
  chooseAddon(emulated);
  if (!hasCuda()) {
    console.error(`bench:cuda: ${runtimeInfo().cuda}`);
    console.error(emulated ? 'run npm run build:emulated first' : 'it needs a card, and an addon with CUDA: npm run build:cuda');
    return ABSENT;
  }
  const card = cudaCard();
  if (!emulated && card.name.startsWith('emulated')) throw new Error('UAM_ADDON names the emulation: use --emulated');
  log(`${card.name}, compute capability ${card.capability}, CUDA ${card.driver} (driver) and ${card.runtime} (addon)`);
  if (emulated) log('The kernels run on the CPU: sizes are tiny and times mean nothing, so none are told.');
  else if (!ranBefore()) log('This benchmark has never run on a card: its first table is a test of itself as much as of the kernels.');

  const start = performance.now();
  const rates = measureRates(emulated);
  const plan: Plan = {
    ...{ milliseconds: emulated ? 0 : values.quick ? 60 : 400, emulated, wanted, rates, missing: [] },
    deadline: start + 60_000 * Number(values.minutes),
    peer: values['no-torch'] || emulated ? undefined : await startPeer(),
  };
  await measureMatrixRates(plan);
  if (!emulated) log(describeRates(rates));

  // What the plan asks for first comes first: a run that is out of time has it.
  const figures = [
    ...(await gather('training', trainingFigures(emulated, plan.milliseconds), plan)),
    ...(await gather('radiomics', radiomicsFigures(emulated, plan.milliseconds), plan)),
  ];
  const measured: Measured[] = [];
  for (const item of kernelCases(emulated)) {
    const result = await measure(item, plan);
    if (result) measured.push({ ...result, floor: floorOf(item.work, item.precision ?? 'float32', rates) });
  }
  setMatmulPrecision('float32');
  plan.peer?.stop();
  log();
  log(kernelTable(measured, !emulated));
  log();
  log(figureTable(figures, !emulated));
  for (const line of plan.missing) log(`left out: ${line}`);
  if (!emulated && !values.quick && wanted === '') {
    const head = { card, host: machine(), commit: commit(packageRoot()), date: new Date().toISOString(), rates, leftOut: plan.missing };
    log(`stored in ${store(card, head, measured.map(kernelRecord), figures.map(figureRecord))}`);
  }
  log(`${((performance.now() - start) / 1e3).toFixed(0)} s`);
  return measured.length + figures.length > 0 ? 0 : 1;
}

main().then(
  (code) => {
    process.exitCode = code;
  },
  (error: Error) => {
    console.error(error.stack);
    process.exitCode = 1;
  },
);
