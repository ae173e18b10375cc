// Whole models: cells in prediction and in a step of training, for sizes S and B with feature tokens and with cell tokens; where the
// time goes, what memory it takes, and a slide of cells through `UAM.predict`.

import { CellClassifier, classifierConfig } from '../src/heads/cell_classifier.js';
import { CellDataset, memory, noGrad, runtimeInfo, scope, setThreads, Tensor, UAM } from '../src/index.js';
import type { CellBatch } from '../src/tokens/cell_batch.js';
import type { BenchCase, FigureCase, TimedCase, Work } from './harness.js';
import { type OpShare, profileOps } from './op_profile.js';
import { random } from './passes.js';
import type { UamShape } from './peer_shapes.js';
import { trainingStep } from './training_step.js';

const FEATURES = 102;
/** As in tumour: cells per square micrometre. */
const DENSITY = 0.005;
/** Cells of a batch. */
const CELLS = { feature: 32, cell: 2048 };
/** Tiles that they lie in. */
const TILES = 4;
/** Cells that the paper reports on. */
const SLIDE = 349_882;

interface Setting {
  size: 'S' | 'B';
  kind: keyof typeof CELLS;
  architecture: 'amamba' | 'amamba-moe';
}

const nameOf = ({ size, kind, architecture }: Setting) => `${architecture} ${size}, ${CELLS[kind]} cells, ${kind} tokens`;

/** Anywhere in a square. */
function places(cells: number, seed = 1): Float64Array {
  const side = Math.sqrt(cells / DENSITY);
  return Float64Array.from(random([2 * cells], 1, seed).data, (value) => (side * (value + 1)) / 2);
}

function make({ size, kind, architecture }: Setting): { model: CellClassifier; batch: CellBatch; target: Tensor } {
  const cells = CELLS[kind];
  const model = new CellClassifier(
    classifierConfig({ features: FEATURES, classes: 2, tokens: { kind }, backbone: { size, architecture } }),
    1,
  );
  const tiles = Int32Array.from({ length: TILES + 1 }, (_, tile) => (tile * cells) / TILES);
  const positions = new Float64Array(2 * cells);
  for (let tile = 0; tile < TILES; tile++) positions.set(places(cells / TILES, tile + 1), 2 * (tiles[tile] as number));
  const target = Tensor.from(Int32Array.from({ length: cells }, (_, i) => i % 2));
  return { model, batch: { features: random([cells, FEATURES]), arrangement: model.arrange(positions, tiles) }, target };
}

/** What the layers must do, op by op, by section 9 of the specification; tokeniser and head are less than a hundredth of it. */
function forwardOps({ size, kind, architecture }: Setting): Work[] {
  const { backbone } = classifierConfig({ features: FEATURES, classes: 2, backbone: { size, architecture } });
  const { width: D, heads: H, state: N, depth } = backbone;
  const [E, R, K] = [2 * D, Math.ceil(D / 16), 4];
  const L = kind === 'feature' ? CELLS.feature * (FEATURES + 1) : CELLS.cell;
  // Neighbours within 64 um at this density, at most 64, and the cell itself; some stand at the border and have fewer.
  const seen = kind === 'feature' ? FEATURES + 1 : 57;
  const inner = architecture === 'amamba' ? backbone.ffn : backbone.topK * backbone.expertFfn;
  const mixing = architecture === 'amamba' ? 6 * D * H : 4 * D + 2 * D * backbone.experts;
  const products = 4 * D * E + 4 * E * (R + 2 * N) + 4 * R * E + 2 * E * D + 8 * D * D + mixing + 6 * D * inner;
  const perToken: Work[] = [
    { flops: products },
    { flops: 8 * K * E, exps: 2 * E, bytes: 4 * 4 * E }, // both filters with their SiLU
    { flops: 16 * E * N, exps: 2 * E * N + 4 * E, bytes: 4 * 10 * E }, // both scans: steps' softplus, gates
    { flops: 4 * seen * D, exps: seen * H, bytes: 4 * 4 * D },
    { bytes: 4 * 10 * D }, // five norms
    { exps: H, bytes: 4 * 4 * D }, // gates
    { exps: inner, bytes: 4 * 3 * inner }, // SwiGLU
    { bytes: 4 * 6 * D }, // both residual sums
  ];
  const times = L * depth;
  return perToken.map(({ flops = 0, exps = 0, bytes = 0 }) => ({ flops: times * flops, exps: times * exps, bytes: times * bytes }));
}

/** Each product has two more behind it; the scans compute their exponentials again; what was read is read again, twice. */
const trainingOps = (ops: readonly Work[]): Work[] =>
  ops.map(({ flops = 0, exps = 0, bytes = 0 }) => ({ flops: 3 * flops, exps: 2 * exps, bytes: 3 * bytes }));

function prediction(setting: Setting): () => void {
  const { model, batch } = make(setting);
  return () => scope(() => void noGrad(() => model.forward(batch)));
}

/** One step: forward, backward, AdamW. */
function stepOf(setting: Setting): () => void {
  const { model, batch, target } = make(setting);
  return trainingStep(model, batch, target);
}

function peerOf({ size, kind, architecture }: Setting, mode: UamShape['mode']): { peers?: UamShape } {
  if (architecture !== 'amamba') return {};
  return { peers: { op: 'uam', size, tokens: kind, cells: CELLS[kind], tiles: TILES, features: FEATURES, mode } };
}

function timedCases(setting: Setting): TimedCase[] {
  const { size, kind, architecture } = setting;
  const ops = forwardOps(setting);
  const amount = { count: CELLS[kind], unit: 'cells' };
  return [
    { name: `predict ${nameOf(setting)}`, setup: () => prediction(setting), work: { parts: ops }, amount, ...peerOf(setting, 'predict') },
    {
      name: `train ${nameOf(setting)}`,
      setup: () => stepOf(setting),
      work: { parts: trainingOps(ops) },
      amount,
      ...peerOf(setting, 'train'),
      ...(size === 'B' && kind === 'feature' && architecture === 'amamba' ? { goal: 0.6 } : {}),
    },
  ];
}

/** Kernels that are told one by one; the others are told together. */
const TOLD = ['gemm', 'selective_scan', 'attention', 'neighbor_attention', 'causal_conv1d', 'rmsnorm', 'binary', 'dropout', 'JavaScript'];

/** Shares of processor time on one thread, and memory, of the size that is the default. */
function figures(setting: Setting): FigureCase[] {
  return (['predict', 'train'] as const).flatMap((mode): FigureCase[] => {
    const what = `${mode} ${nameOf(setting)}`;
    let profile: OpShare[] | undefined;
    let peak = 0;
    const measured = (): OpShare[] => {
      if (profile) return profile;
      const { threads } = runtimeInfo();
      setThreads(1);
      memory.trim();
      const before = memory.stats().liveBytes;
      profile = profileOps(mode === 'predict' ? prediction(setting) : stepOf(setting));
      peak = memory.stats().peakBytes - before;
      setThreads(threads);
      return profile;
    };
    const told = (op: string) => TOLD.find((name) => op === name || op === `${name}_fwd` || op === `${name}_bwd`) ?? 'others';
    const share = (name: string) => {
      const total = measured().reduce((sum, { cpu }) => sum + cpu, 0);
      return (100 * measured().reduce((sum, { op, cpu }) => sum + (told(op) === name ? cpu : 0), 0)) / total;
    };
    const attends = setting.kind === 'cell' ? 'attention' : 'neighbor_attention';
    const names = [...TOLD, 'others'].filter((name) => name !== attends && !(mode === 'predict' && name === 'dropout'));
    return [
      ...names.map((name): FigureCase => ({ name: `${name} in ${what}`, unit: '%', measure: () => [share(name)] })),
      { name: `memory of ${what}`, unit: 'MB', measure: () => [measured() && peak / 1e6] },
    ];
  });
}

/** A table of cells: features between -1 and 1. */
function tableOf(cells: number): { table: { length: number; columns: { name: string; data: Float32Array }[] }; positions: Float64Array } {
  const columns = Array.from({ length: FEATURES }, (_, f) => ({
    name: `glcm_F${f}`,
    data: random([cells], 1, f + 1).data as Float32Array,
  }));
  return { table: { length: cells, columns }, positions: places(cells) };
}

/** Seconds of a slide through the public call, from features to probabilities: by the clock, and of all processors together. */
async function slide(): Promise<{ wall: number; cpu: number }> {
  const model = UAM.create({ size: 'B', tokens: 'cell' });
  const few = tableOf(64);
  await model.fit(CellDataset.from([{ ...few, classes: Int32Array.from({ length: 64 }, (_, i) => i % 2) }]), { epochs: 1, validation: 0 });
  const cells = tableOf(SLIDE);
  const [start, before] = [performance.now(), process.cpuUsage()];
  await model.predict(cells, { embeddings: false });
  const { user, system } = process.cpuUsage(before);
  return { wall: (performance.now() - start) / 1e3, cpu: (user + system) / 1e6 };
}

function slideFigures(): FigureCase[] {
  let run: ReturnType<typeof slide> | undefined;
  const once = () => {
    setThreads(2);
    run ??= slide();
    return run;
  };
  const name = `UAM.predict, ${SLIDE} cells, amamba B, cell tokens, 2 threads`;
  return [
    { name, unit: 's', goal: 10, measure: async () => [(await once()).wall] },
    { name: `processor time of ${name}`, unit: 's', goal: 20, measure: async () => [(await once()).cpu] },
  ];
}

const settings: Setting[] = (['amamba', 'amamba-moe'] as const).flatMap((architecture) =>
  (['S', 'B'] as const).flatMap((size) => (['feature', 'cell'] as const).map((kind) => ({ size, kind, architecture }))),
);

const cases: BenchCase[] = [
  ...settings.flatMap(timedCases),
  ...settings.filter(({ size, architecture }) => size === 'B' && architecture === 'amamba').flatMap(figures),
  ...slideFigures(),
];

export default cases;
