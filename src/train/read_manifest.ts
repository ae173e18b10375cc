import { dirname, isAbsolute, join } from 'node:path';
import { UamError } from '../errors.js';
import type { ImageWarning } from '../image/image.js';
import { type CellFiles, CellSource } from './cell_source.js';
import { numberIn, readCsv, splitOf } from './csv_rows.js';
import { CellDataset, type SampleInput, type Split } from './dataset.js';
import { pixelSizeOf } from './image_cells.js';
import { classesIn, pointsIn } from './known_classes.js';
import { DEFAULT_RECIPE, type ExtractionRecipe } from './recipe.js';

export interface ReadDatasetOptions {
  /** How features are extracted. Default: all classes on grey, haematoxylin and eosin, at the pixel size of the first image: images of
   * another are resampled to it. `mpp: 'own'` measures each image at its own. */
  extraction?: ExtractionRecipe;
  /** Micrometres per pixel of images that neither tell it nor have it in the manifest's column `mpp`. */
  mpp?: number;
  /** Names of the classes, in their order. Default: those that occur, sorted. */
  classes?: readonly string[];
  /** A folder that keeps the features of each image, so that they are extracted once: files named by a hash of image, mask, `mpp`,
   * recipe and version. It is made where it is not there, and may be shared and deleted at any time. */
  cache?: string | undefined;
  signal?: AbortSignal;
  /** Called with what the user should know about an image or its mask, where they are read. */
  onWarning?: (warning: ImageWarning & { image: string }) => void;
  /** Called after each image; `cached` tells whether its features were there already. */
  onProgress?: (progress: { phase: 'extract'; done: number; total: number; name: string; cached: boolean }) => void;
}

/** A line of a manifest. */
interface Line extends CellFiles {
  name: string;
  /** Files of an expert's points, or of classes; empty where there is none. */
  points: string;
  classes: string;
  patient: string | undefined;
  split: Split | undefined;
}

async function linesOf(path: string): Promise<Line[]> {
  const rows = await readCsv(path, ['image', 'mask']);
  const from = (file: string): string => (file === '' || isAbsolute(file) ? file : join(dirname(path), file));
  return rows.map((row, i): Line => {
    const where = `${path}: line ${i + 2}`;
    const { image = '', mask = '', points = '', classes = '', patient = '', split = '' } = row;
    if (image === '' || mask === '') throw new UamError('UAM_DATA', `${where} must name an image and a mask`);
    if (points !== '' && classes !== '') throw new UamError('UAM_DATA', `${where} must name points or classes, not both`);
    return {
      ...{ name: image, image: from(image), mask: from(mask), points: from(points), classes: from(classes) },
      ...{ patient: patient || undefined, split: splitOf(split, where), mpp: row['mpp'] ? numberIn(row, 'mpp', where) : undefined },
    };
  });
}

/** A recipe that says at which pixel size features are measured: where it does not, at that of an image. */
async function scaled(recipe: ExtractionRecipe, first: Line | undefined, otherwise: number | undefined): Promise<ExtractionRecipe> {
  if (recipe.mpp !== undefined || !first) return recipe;
  const size = await pixelSizeOf(first, otherwise);
  return size ? { ...recipe, mpp: Number(Math.sqrt(size[0] * size[1]).toPrecision(6)) } : recipe;
}

/**
 * Reads a manifest and extracts the cells of its images. Features are kept in float32.
 *
 * The manifest is a CSV (or TSV) file with the columns `image` and `mask`, and perhaps `points` (a CSV of x, y, class: an expert's
 * points), `classes` (a CSV of label, class), `patient`, `split` (train, validation, test) and `mpp`. Paths are relative to the manifest.
 * A point belongs to the nucleus under it or within 3 px; several points on one nucleus each count; a point on no nucleus teaches
 * nothing, and counts as an error in evaluation. Without `patient`, every image is a patient of its own.
 *
 * @throws UamError `UAM_INPUT`, `UAM_FORMAT`, `UAM_DATA` naming file and line; `UAM_ABORTED`
 * @example
 * const { mkdtemp, rm, writeFile } = await import('node:fs/promises');
 * const { tmpdir } = await import('node:os');
 * const folder = await mkdtemp(`${tmpdir()}/uam-example-`);
 * const cells = { width: 4, height: 2, data: Uint32Array.of(1, 1, 0, 2, 1, 1, 0, 2) };
 * await writeFile(`${folder}/mask.png`, await encodeMask(cells));
 * await writeFile(`${folder}/image.png`, await encodeMask({ ...cells, data: Uint32Array.of(9, 8, 7, 3, 5, 2, 7, 4) }));
 * await writeFile(`${folder}/points.csv`, 'x,y,class\n0,0,tumour\n3,1,stroma\n');
 * await writeFile(`${folder}/manifest.csv`, 'image,mask,points,patient\nimage.png,mask.png,points.csv,A\n');
 * const extraction = { features: ['firstorder'], channels: ['grey'] };
 * const dataset = await readDataset(`${folder}/manifest.csv`, { mpp: 0.5, extraction });
 * dataset.counts();   // [1, 1]: stroma, tumour
 * await rm(folder, { recursive: true });
 */
export async function readDataset(path: string, options: ReadDatasetOptions = {}): Promise<CellDataset> {
  const { classes, signal, onProgress } = options;
  const lines = await linesOf(path);
  const extraction = await scaled(options.extraction ?? DEFAULT_RECIPE, lines[0], options.mpp);
  const source = await CellSource.open(extraction, { cache: options.cache, otherwise: options.mpp, signal });
  const samples: SampleInput[] = [];
  for await (const { at, cells } of source.all(lines)) {
    const { name, image, points, classes: labels, patient, split } = lines[at] as Line;
    for (const warning of cells.warnings) options.onWarning?.({ ...warning, image });
    const truth = points ? await pointsIn(points, cells) : labels ? await classesIn(labels, cells) : {};
    samples.push({ ...{ name, patient, split }, table: cells.table, positions: cells.positions, ...truth });
    onProgress?.({ phase: 'extract', done: at + 1, total: lines.length, name, cached: cells.cached });
  }
  return CellDataset.from(samples, { classes, extraction });
}
