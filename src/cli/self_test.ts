// Whether this machine computes what it should: some kernels against their plain definitions, and the whole flow on a made-up tile.
import { findCells } from '../cells/find_cells.js';
import { currentBackend, type Device, hasCuda, setBackend } from '../native/device.js';
import { attention } from '../ops/attention.js';
import { mul } from '../ops/binary.js';
import { matmul } from '../ops/matmul.js';
import { randomNormal, randomUniform } from '../ops/random.js';
import { selectiveScan } from '../ops/selective_scan.js';
import { extract } from '../radiomics/extract.js';
import { bring } from '../tensor/bring.js';
import { noGrad } from '../tensor/context.js';
import { scope } from '../tensor/scope.js';
import type { Tensor } from '../tensor/tensor.js';
import { CellDataset } from '../train/dataset.js';
import { demoTile } from '../train/demo_tile.js';
import { UAM } from '../train/uam.js';

export interface TestResult {
  name: string;
  ok: boolean;
  /** What was found. */
  detail: string;
  ms: number;
}

/** The largest error that rounding in float32 explains, against the largest magnitude. */
const TOLERANCE = 1e-4;

type Numbers = ArrayLike<number>;

/** The largest difference, against the largest magnitude; infinite where one has a number and the other none. */
function differenceOf(a: Numbers, b: Numbers): number {
  if (a.length !== b.length || a.length === 0) return Number.POSITIVE_INFINITY;
  let [worst, most] = [0, 1e-30];
  for (let i = 0; i < a.length; i++) {
    const [x, y] = [a[i] as number, b[i] as number];
    if (Number.isNaN(x) && Number.isNaN(y)) continue;
    worst = Math.max(worst, Number.isNaN(x - y) ? Number.POSITIVE_INFINITY : Math.abs(x - y));
    most = Math.max(most, Math.abs(y) || 0);
  }
  return worst / most;
}

/** Runs work on the plain definitions. */
async function byDefinition<T>(work: () => T | Promise<T>): Promise<T> {
  const backend = currentBackend();
  setBackend('reference');
  try {
    return await work();
  } finally {
    setBackend(backend);
  }
}

/** @param device where the first of both is computed; tensors are moved there by `there` */
async function compare(work: (there: Place) => Numbers | Promise<Numbers>, device: Device = 'cpu'): Promise<string> {
  const difference = differenceOf(await work((tensor) => bring(tensor, device)), await byDefinition(() => work((tensor) => tensor)));
  if (difference <= TOLERANCE) return `differs from its definition by ${difference.toExponential(1)}`;
  throw new Error(`differs from its definition by ${difference.toExponential(1)}; at most ${TOLERANCE} is rounding`);
}

/** What a test gets, to put its inputs where it computes. */
type Place = (tensor: Tensor) => Tensor;

const values =
  (work: (normal: (shape: number[], step: number) => Tensor, there: Place) => Tensor): ((there: Place) => Numbers) =>
  (there) =>
    scope(() =>
      noGrad(() =>
        Float64Array.from(
          bring(
            work((shape, step) => there(randomNormal(shape, { seed: 5, step })), there),
            'cpu',
          ).data,
        ),
      ),
    );

const tile = () => demoTile({ seed: 3, width: 96, height: 96 });

async function features(): Promise<Numbers> {
  const { image, mask } = tile();
  const { columns } = await extract(image, mask, { features: ['firstorder', 'glcm', 'shape2D'] });
  // Each column by its own largest value: energies would hide all others.
  return columns.flatMap(({ data }) => {
    const most = data.reduce((found, value) => Math.max(found, Math.abs(value) || 0), 1e-30);
    return Array.from(data, (value) => value / most);
  });
}

/** Features, training on a thread of its own, and prediction. */
async function wholeFlow(device: Device): Promise<string> {
  const { image, mask, classes, classNames } = tile();
  const extraction = { features: ['firstorder', 'shape2D'], channels: ['grey'] };
  const table = await extract(image, mask, extraction);
  const labels = Array.from(classes, (c) => classNames[c] as string);
  const dataset = CellDataset.from([{ table, mpp: image.mpp, classes: labels }], { classes: classNames, extraction });
  const model = UAM.create({ width: 8, depth: 1, heads: 2, state: 4, ffn: 8, device });
  const { history } = await model.fit(dataset, { epochs: 3, validation: 0 });
  const { probabilities, length } = await model.predict({ image, mask });
  if (!probabilities.every((p) => p >= 0 && p <= 1)) throw new Error('probabilities are not between 0 and 1');
  return `${length} cells; loss ${history[0]?.loss.toFixed(3)} to ${history.at(-1)?.loss.toFixed(3)}`;
}

type Test = readonly [name: string, run: () => Promise<string>];

/** What a model computes with. */
const modelTests = (device: Device): readonly Test[] => [
  [
    'matrix product',
    () =>
      compare(
        values((normal) => matmul(normal([37, 65], 0), normal([65, 43], 1))),
        device,
      ),
  ],
  [
    'selective scan',
    () =>
      compare(
        values((normal, there) => {
          const [u, delta] = [normal([2, 19, 8], 2), there(randomUniform([2, 19, 8], { seed: 5, step: 3 }))];
          const A = mul(there(randomUniform([8, 4], { seed: 5, step: 4 })), -2);
          return selectiveScan({ u, delta, A, B: normal([2, 19, 1, 4], 5), C: normal([2, 19, 1, 4], 6) }, { deltaSoftplus: true }).out;
        }),
        device,
      ),
  ],
  [
    'attention',
    () =>
      compare(
        values((normal) => {
          const x = (step: number) => normal([23, 2, 8], step);
          return attention(x(7), x(8), x(9), { offsetsQ: Int32Array.of(0, 9, 23) }).out;
        }),
        device,
      ),
  ],
  ['training and prediction', () => wholeFlow(device)],
];

const TESTS: readonly Test[] = Object.freeze([
  ...modelTests('cpu'),
  ['cells of a mask', () => compare(() => findCells(tile().mask).centroids)],
  ['features of cells', () => compare(features)],
] as const);

/** Runs all tests, those of models also on the card where there is one. They take a second or two. */
export async function selfTest(): Promise<TestResult[]> {
  const results: TestResult[] = [];
  const onCard = hasCuda() ? modelTests('cuda').map(([name, run]): Test => [`${name}, on the card`, run]) : [];
  for (const [name, run] of [...TESTS, ...onCard]) {
    const start = performance.now();
    const found = await run().then(
      (detail) => ({ ok: true, detail }),
      (error: Error) => ({ ok: false, detail: error.message }),
    );
    results.push({ name, ...found, ms: Math.round(performance.now() - start) });
  }
  return results;
}
