import { join } from 'node:path';
import { mismatch, UamError } from '../errors.js';
import { collectTiles, type ReadJointOptions } from './collect_tiles.js';
import { type Row, readCsv } from './csv_rows.js';
import { listFolder } from './folder_files.js';
import type { JointDataset } from './joint_dataset.js';
import type { Pace } from './pace.js';
import { checkStacks, idsOfChannel, openStack, type Stack, type StackNuclei, StackTile } from './stack_tile.js';

/** The classes of CoNIC and Lizard, from number 1 on. */
export const CONIC_CLASSES = Object.freeze(['neutrophil', 'epithelial', 'lymphocyte', 'plasma', 'eosinophil', 'connective'] as const);

/** The name of a class by its number. */
export function conicClass(number: number, where: string): string {
  const name = CONIC_CLASSES[number - 1];
  if (name === undefined) throw mismatch('UAM_DATA', `${where}: a class`, `a number from 1 to ${CONIC_CLASSES.length}`, String(number));
  return name;
}

/** Nuclei, and the class that most of each nucleus' pixels have, the lower of equals; pixels without a class have no say. */
async function nucleiOf(labels: Stack, index: number, pace: Pace): Promise<StackNuclei> {
  const where = `${labels.name}, image ${index}`;
  const values = await labels.read(index);
  const [data, classes] = [idsOfChannel(values, 0, labels, `${where}, ids`), idsOfChannel(values, 1, labels, `${where}, classes`)];
  await pace.rest();
  const votes = new Map<number, Uint32Array>();
  for (let at = 0; at < data.length; at++) {
    const number = classes[at] as number;
    if (number > CONIC_CLASSES.length) conicClass(number, where);
    const id = data[at] as number;
    if (id === 0 || number === 0) continue;
    let own = votes.get(id);
    if (!own) votes.set(id, (own = new Uint32Array(CONIC_CLASSES.length + 1)));
    own[number]! += 1;
  }
  const classOf = new Map([...votes].map(([id, own]) => [id, conicClass(own.indexOf(Math.max(...own)), where)]));
  return { data, classOf };
}

/** A line for each image of a stack, in its order. */
async function linesFor(path: string, images: Stack, needed: readonly string[]): Promise<Row[]> {
  const rows = await readCsv(path, needed);
  const [count] = images.shape;
  if (rows.length !== count)
    throw mismatch('UAM_SHAPE', `${path}: its lines`, `${count}, one per image of ${images.name}`, String(rows.length));
  return rows;
}

/** Which image each patch was cut from: `consep_1-0003` is the third of consep_1. */
async function sourcesIn(path: string, images: Stack): Promise<string[]> {
  const rows = await linesFor(path, images, []);
  return rows.map((row, i) => {
    const source = /^(.+)-[^-]*$/.exec(Object.values(row)[0] ?? '')?.[1];
    if (source !== undefined) return source;
    throw mismatch('UAM_DATA', `${path}: line ${i + 2}`, 'a name such as consep_1-0003', `'${Object.values(row)[0] ?? ''}'`);
  });
}

/**
 * Reads CoNIC: a folder with `images.npy` `[N, height, width, 3]` and `labels.npy` `[N, height, width, 2]` (ids of nuclei, and their class
 * from 1 to 6), read image by image. `patch_info.csv` tells which image each patch was cut from: that counts as its patient; without it
 * every patch is a patient of its own. `counts.csv` must speak of as many patches, where it is there; its numbers are not used. Pixels are
 * of 0.5 um unless `mpp` says otherwise. CoNIC knows no regions.
 *
 * @returns classes neutrophil, epithelial, lymphocyte, plasma, eosinophil, connective
 * @throws UamError `UAM_INPUT` where the files are not there, `UAM_FORMAT` where they are broken or truncated, `UAM_SHAPE`, `UAM_DATA`
 *   where they do not fit each other or hold other values; `UAM_ABORTED`
 * @example
 * const { mkdtemp, rm } = await import('node:fs/promises');
 * const { tmpdir } = await import('node:os');
 * const folder = await mkdtemp(`${tmpdir()}/uam-example-`);
 * await writeNpy(`${folder}/images.npy`, new Uint8Array(8 * 8 * 3).fill(200), [1, 8, 8, 3]);
 * await writeNpy(`${folder}/labels.npy`, new Uint16Array(8 * 8 * 2).fill(2, 0, 4), [1, 8, 8, 2]);
 * const dataset = await readConic(folder, { extraction: { features: ['firstorder'], channels: ['grey'] } });
 * dataset.counts();   // [0, 1, 0, 0, 0, 0]: nucleus 2, of class 2
 * await rm(folder, { recursive: true });
 */
export async function readConic(folder: string, options: ReadJointOptions = {}): Promise<JointDataset> {
  const { mpp = 0.5, regions = ['tumour'] } = options;
  const { files } = await listFolder(folder);
  const lacks = ['images.npy', 'labels.npy'].find((name) => !files.includes(name));
  if (lacks) throw new UamError('UAM_INPUT', `${folder}: there is no ${lacks} in it`);
  const opened: Stack[] = [];
  try {
    const images = await openStack(join(folder, 'images.npy'), 3);
    opened.push(images);
    const labels = await openStack(join(folder, 'labels.npy'), 2);
    opened.push(labels);
    checkStacks(images, labels);
    if (files.includes('counts.csv')) await linesFor(join(folder, 'counts.csv'), images, CONIC_CLASSES);
    const sources = files.includes('patch_info.csv') ? await sourcesIn(join(folder, 'patch_info.csv'), images) : undefined;
    const tiles = Array.from({ length: images.shape[0] }, (_, index) => {
      const patient = sources?.[index];
      const name = patient === undefined ? String(index) : `${patient}/${index}`;
      return new StackTile({ images, index, name, patient, mpp, regions: regions.length, nuclei: (pace) => nucleiOf(labels, index, pace) });
    });
    return await collectTiles(tiles, { classes: CONIC_CLASSES, regions }, options);
  } finally {
    for (const stack of opened) await stack.close();
  }
}
