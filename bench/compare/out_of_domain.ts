// Another organ, another scanner, twice the magnification: UAM trained on brca_m2c answers for the nuclei of the PUMA image.
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeWhole } from '../../src/files/write_whole.js';
import type { LabelMask, RasterImage } from '../../src/image/image.js';
import { readImage } from '../../src/image/read_image.js';
import { readMask } from '../../src/image/read_mask.js';
import { CellDataset } from '../../src/train/dataset.js';
import { scorePredictions } from '../../src/train/metrics.js';
import type { Predictions } from '../../src/train/predictions.js';
import { UAM } from '../../src/train/uam.js';
import { table } from './results_tables.js';
import { studyNamed } from './studies.js';
import { type Log, type Places, TASKS } from './tasks.js';

const NAME = 'puma_metastatic_roi_094';
const MPP = 0.23;

/** PUMA's classes that brca_m2c knows under another name. The others (16 nuclei of four kinds) have no counterpart and are left out. */
const COUNTERPARTS: Readonly<Record<string, string>> = Object.freeze({ lymphocyte: 'lymphocyte', tumor: 'tumour_epithelial' });

interface Found {
  /** What the image was brought to before features were computed. */
  mpp: number;
  nuclei: number;
  accuracy: number;
  /** Tumour against lymphocytes, by the probability of tumour. */
  auroc: number;
  /** By PUMA's class: how many are called each class of brca_m2c. */
  calls: Record<string, Record<string, number>>;
}

export interface OutOfDomain {
  seeds: number;
  classes: readonly string[];
  found: Found[];
}

const fileOf = ({ store }: Places) => join(store, 'puma.json');

/** The image with pixels `factor` times as wide: means of the pixels under each, weighted by how much of them lies there. */
export function coarser({ width, height, channels, data, ...rest }: RasterImage, factor: number): RasterImage {
  const [wide, high] = [Math.round(width / factor), Math.round(height / factor)];
  const out = new Uint8Array(wide * high * channels);
  const shares = (to: number, from: number) =>
    Array.from({ length: to }, (_, i) => {
      const [start, end] = [(i * from) / to, ((i + 1) * from) / to];
      const under = Array.from({ length: Math.ceil(end) - Math.floor(start) }, (_, k) => Math.floor(start) + k);
      return under.filter((at) => at < from).map((at) => ({ at, share: Math.min(end, at + 1) - Math.max(start, at) }));
    });
  const [columns, rows] = [shares(wide, width), shares(high, height)];
  rows.forEach((under, y) => {
    columns.forEach((beside, x) => {
      for (let c = 0; c < channels; c++) {
        let [sum, weight] = [0, 0];
        for (const row of under) {
          for (const column of beside) {
            sum += row.share * column.share * (data[(row.at * width + column.at) * channels + c] as number);
            weight += row.share * column.share;
          }
        }
        out[(y * wide + x) * channels + c] = Math.round(sum / weight);
      }
    });
  });
  return { ...rest, width: wide, height: high, channels, data: out };
}

/** The mask at that size: the id under the centre of each pixel. */
export function coarserMask({ width, height, data, ...rest }: LabelMask, wide: number, high: number): LabelMask {
  const at = (i: number, to: number, from: number) => Math.min(from - 1, Math.floor(((i + 0.5) * from) / to));
  const out = Uint32Array.from({ length: wide * high }, (_, i) => {
    return data[at(Math.floor(i / wide), high, height) * width + at(i % wide, wide, width)] as number;
  });
  return { ...rest, width: wide, height: high, data: out };
}

/** Names of the classes of the nuclei by their ids. */
async function classesIn(path: string): Promise<Map<number, string>> {
  const lines = (await readFile(path, 'utf8')).trim().split(/\r?\n/).slice(1);
  return new Map(lines.map((line) => line.split(',')).map(([label, name]) => [Number(label), name as string]));
}

async function trained(dataset: CellDataset, seed: number): Promise<UAM> {
  const { size, tokens, fit, standard } = studyNamed('brca_cell');
  const { dropout, dropPath, weightDecay, labelSmoothing, noise, hide } = standard;
  const model = UAM.create({ ...size, architecture: 'amamba', tokens, dropout, dropPath, seed });
  await model.fit(dataset, { ...fit, weightDecay, labelSmoothing, augment: { noise, hide }, validation: 0.15 });
  return model;
}

async function score(
  models: readonly UAM[],
  image: RasterImage,
  mask: LabelMask,
  names: ReadonlyMap<number, string>,
  mpp: number,
): Promise<Found> {
  const answers: Predictions[] = [];
  for (const model of models) answers.push(await UAM.analyse({ image, mask, mpp, model }, { embeddings: false }));
  const [first] = answers as [(typeof answers)[0]];
  const { classNames } = first;
  const mean = first.probabilities.map(
    (_, i) => answers.reduce((sum, { probabilities }) => sum + (probabilities[i] as number), 0) / answers.length,
  );
  const ids = [...(first.table?.ids ?? [])];
  const kept = ids.flatMap((id, row) => (COUNTERPARTS[names.get(id) ?? ''] === undefined ? [] : [row]));
  const truth = kept.map((row) => classNames.indexOf(COUNTERPARTS[names.get(ids[row] as number) as string] as string));
  const width = classNames.length;
  const probabilities = Float64Array.from(kept.flatMap((row) => [...mean.subarray(row * width, (row + 1) * width)]));
  const { accuracy, perClass, confusion } = scorePredictions({ classes: classNames, truth, probabilities });
  const calls = Object.entries(COUNTERPARTS).map(([theirs, ours]) => {
    const row = confusion[classNames.indexOf(ours)] as number[];
    return [theirs, Object.fromEntries(classNames.map((name, c) => [name, row[c] as number]))] as const;
  });
  const auroc = perClass.find(({ name }) => name === COUNTERPARTS['tumor'])?.auroc as number;
  return { mpp, nuclei: kept.length, accuracy, auroc, calls: Object.fromEntries(calls) };
}

/** Trains on all of brca_m2c, predicts the image as it is and at the 0.5 um of the training images, and keeps what came out. */
export async function outOfDomain(places: Places, seeds: number, log: Log): Promise<void> {
  const folder = join(places.data, 'puma');
  const task = TASKS.find(({ name }) => name === 'brca_m2c') as (typeof TASKS)[number];
  if (!existsSync(folder)) return log(`without puma: ${folder} is not there`);
  const { samples, classes, extraction } = await task.make(places, log);
  // Measured at the pixels of the image that is given: which those are is what the two rows differ in.
  const dataset = new CellDataset(samples, classes, { ...extraction, mpp: 'own' });
  const models: UAM[] = [];
  for (let seed = 1; seed <= seeds; seed++) {
    log(`puma: training seed ${seed} on ${dataset.patients.length} patients of brca_m2c`);
    models.push(await trained(dataset, seed));
  }
  const image = await readImage(join(folder, `${NAME}.png`));
  const mask = await readMask(join(folder, `${NAME}_labels.png`));
  const names = await classesIn(join(folder, `${NAME}_classes.csv`));
  const smaller = coarser(image, 0.5 / MPP);
  const found = [
    await score(models, image, mask, names, MPP),
    await score(models, smaller, coarserMask(mask, smaller.width, smaller.height), names, 0.5),
  ];
  const result: OutOfDomain = { seeds, classes: dataset.classes, found };
  await writeWhole(fileOf(places), [Buffer.from(JSON.stringify(result))]);
  log(outOfDomainText(result));
}

/** What was kept, as a table; undefined where nothing was. */
export async function storedOutOfDomain(places: Places): Promise<{ text: string; numbers: OutOfDomain } | undefined> {
  const text = await readFile(fileOf(places), 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  const numbers = JSON.parse(text) as OutOfDomain;
  return { text: outOfDomainText(numbers), numbers };
}

function outOfDomainText({ classes, found }: OutOfDomain): string {
  const head = [
    'image at',
    'PUMA\u2019s class',
    'nuclei',
    ...classes.map((name) => `called ${name}`),
    'right',
    'accuracy of both',
    'AUROC tumour',
  ];
  const rows = found.flatMap(({ mpp, accuracy, auroc, calls }) =>
    Object.entries(calls).map(([theirs, counts], i) => {
      const total = Object.values(counts).reduce((sum, count) => sum + count, 0);
      const right = (counts[COUNTERPARTS[theirs] as string] as number) / total;
      const both = i === 0 ? [accuracy.toFixed(3), auroc.toFixed(3)] : ['', ''];
      return [`${mpp} \u00b5m`, theirs, String(total), ...classes.map((name) => String(counts[name])), right.toFixed(3), ...both];
    }),
  );
  return table(head, rows);
}
