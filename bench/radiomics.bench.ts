// Features of about 20,000 nuclei on an image of 4,096 x 4,096 pixels, through the public API: what a cell costs, per class and
// thread count, in time and in CPU time (other work on the machine stretches the first, hardly the second), and what memory an
// extraction takes beside its inputs.
//
// Measured elsewhere on two such cores (shared/design/performance.md), 102 features: PyRadiomics 107 cells/s from pre-cropped cells and
// 20 label by label; Nyxus 1,900 to 2,400; fastrad 31 to 63. The goal is 25,000 cells/s on two threads: 40 us a cell.
import { spawnSync } from 'node:child_process';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { setThreads } from '../src/native/device.js';
import { featureClasses } from '../src/radiomics/catalogue.js';
import { extract, extractBlocks } from '../src/radiomics/extract.js';
import type { ExtractOptions } from '../src/radiomics/extract_options.js';
import type { FigureCase } from './harness.js';
import { type NucleiImage, nucleiImage } from './nuclei_image.js';

const SIDE = 4096;
const NUCLEI = 20_000;

/** The image, painted once. */
function scene(): () => NucleiImage {
  let made: NucleiImage | undefined;
  return () => {
    made ??= nucleiImage(SIDE, SIDE, NUCLEI);
    return made;
  };
}

const nuclei = scene();

const inputs = ({ plane, regions }: NucleiImage) =>
  [
    { width: SIDE, height: SIDE, channels: 1, data: plane },
    { width: SIDE, height: SIDE, data: regions.labels },
  ] as const;

/** Microseconds per cell of each repetition, of wall time or of CPU time over all threads. */
async function perCell(options: ExtractOptions, threads: number, repetitions: number, clock: 'wall' | 'cpu'): Promise<number[]> {
  setThreads(threads);
  const [image, mask] = inputs(nuclei());
  const times: number[] = [];
  for (let run = -1; run < repetitions; run++) {
    const from = performance.now();
    const cpu = process.cpuUsage();
    const { length } = await extract(image, mask, options);
    const { user, system } = process.cpuUsage(cpu);
    const microseconds = clock === 'wall' ? 1e3 * (performance.now() - from) : user + system;
    if (run >= 0) times.push(microseconds / length); // the first warms up
  }
  return times;
}

const defaults = featureClasses().filter((entry) => entry.default);

interface Stream {
  /** Peak memory beyond the inputs, in MB. */
  memory: number;
  /** Microseconds per cell. */
  time: number;
}

/** The image `copies` times, one below the other, in blocks as they come. Runs in a process of its own, with --expose-gc. */
export async function stream(copies: number): Promise<Stream> {
  const { plane, regions } = nuclei();
  const data = new Uint8Array(copies * plane.length);
  const labels = new Uint32Array(copies * plane.length);
  for (let copy = 0; copy < copies; copy++) {
    data.set(plane, copy * plane.length);
    for (let at = 0; at < plane.length; at++) {
      const label = regions.labels[at] as number;
      labels[copy * plane.length + at] = label && label + copy * regions.rois;
    }
  }
  (globalThis as { gc?: () => void }).gc?.();
  const before = process.memoryUsage().rss;
  let peak = before;
  const size = { width: SIDE, height: copies * SIDE };
  const from = performance.now();
  for await (const _ of extractBlocks({ ...size, channels: 1, data }, { ...size, data: labels })) {
    peak = Math.max(peak, process.memoryUsage().rss);
  }
  return { memory: (peak - before) / 1e6, time: (1e3 * (performance.now() - from)) / (copies * regions.rois) };
}

function inOwnProcess(copies: number): Stream {
  const file = JSON.stringify(pathToFileURL(fileURLToPath(import.meta.url)).href);
  const code = `const { stream } = await import(${file}); console.log(JSON.stringify(await stream(${copies})));`;
  const { stdout, stderr, status } = spawnSync(process.execPath, ['--expose-gc', '--input-type=module', '-e', code], { encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout);
}

const cases: FigureCase[] = [
  ...[1, 2].flatMap((threads): FigureCase[] => [
    {
      name: `102 features, ${threads} threads: time per cell`,
      unit: 'us',
      ...(threads === 2 ? { goal: 40 } : {}),
      measure: (repetitions) => perCell({}, threads, repetitions, 'wall'),
    },
    {
      name: `102 features, ${threads} threads: CPU time per cell`,
      unit: 'us',
      measure: (repetitions) => perCell({}, threads, repetitions, 'cpu'),
    },
  ]),
  ...defaults.flatMap((entry) =>
    [1, 2].map(
      (threads): FigureCase => ({
        name: `${entry.name} alone, ${threads} threads: time per cell`,
        unit: 'us',
        measure: (repetitions) => perCell({ features: [entry.name] }, threads, repetitions, 'wall'),
      }),
    ),
  ),
  {
    name: '102 features at binWidth 5, 2 threads: time per cell',
    unit: 'us',
    measure: (repetitions) => perCell({ settings: { binWidth: 5 } }, 2, repetitions, 'wall'),
  },
  ...[1, 10].flatMap((copies): FigureCase[] => {
    const cells = `${(copies * 20_020).toLocaleString('en')} cells, streamed`;
    let result: Stream | undefined;
    const run = () => {
      result ??= inOwnProcess(copies);
      return result;
    };
    return [
      { name: `${cells}: memory beside the inputs`, unit: 'MB', measure: () => [run().memory] },
      { name: `${cells}: time per cell`, unit: 'us', goal: 40, measure: () => [run().time] },
    ];
  }),
];

export default cases;
