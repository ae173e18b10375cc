// The whole flow: an image and its nuclei in, the class of each nucleus out, as files that other programs open.
import { cellContoursAsync } from './cells/cell_contours.js';
import type { Cells } from './cells/cells.js';
import { findCellsAsync } from './cells/find_cells.js';
import type { Rgb } from './cells/palette.js';
import { readCellMask } from './cells/read_cell_mask.js';
import { segmentNuclei } from './cells/segment.js';
import { UamError } from './errors.js';
import type { ImageWarning, LabelMask } from './image/image.js';
import type { FeatureTable } from './radiomics/table.js';
import { callCells, callsFormat, writeCalls } from './report/calls.js';
import { writeOverlay } from './report/overlay.js';
import { type ImageInput, type ScaledImage, scaledImage } from './train/image_cells.js';
import type { Predictions } from './train/predictions.js';
import { type PredictOptions, UAM } from './train/uam.js';

export interface AnalysisInput extends Omit<ImageInput, 'mask'> {
  /** A label image, or the path of one or of polygons. Default: the nuclei are found by `segmentNuclei`. */
  mask?: ImageInput['mask'] | undefined;
  /** A model, or the path of one. */
  model: UAM | string;
}

export interface AnalysisOptions extends PredictOptions {
  /** Files for the calls: `.geojson` (QuPath), `.csv`, `.parquet`; see `writeCalls`. */
  out?: string | readonly string[];
  /** A PNG file: the image with the outlines of the cells in the colours of their classes. */
  overlay?: string;
  /** Cells less sure than this get no class in the files, 0 to 1. Default 0. */
  atLeast?: number;
  /** Features that the files have beside the probabilities, by name; or `'all'`. Default: none. */
  measurements?: readonly string[] | 'all';
  /** Colours of classes, 0 to 255; others get those of `classColors`. */
  colors?: Readonly<Record<string, Rgb>>;
  /** What QuPath calls the objects; default `'detection'`. */
  objectType?: 'detection' | 'cell' | 'annotation';
}

/** An image with its cells, and what the model says of them: entry i of `cells` and of `predictions` speaks of the same cell. */
export interface Analysis {
  image: ScaledImage;
  mask: LabelMask;
  cells: Cells;
  predictions: Predictions;
  /** The features that `measurements` asked for. */
  measurements: Record<string, Float64Array>;
  /** What the user should know about the files. */
  warnings: readonly ImageWarning[];
}

/**
 * The whole flow: reads an image and its nuclei, or finds them, extracts the features that the model wants, classifies the cells, and
 * writes the calls and a picture where that is asked for. `UAM.analyse` is its middle; `uam predict` is this on the command line.
 *
 * @throws UamError as `UAM.load`, `readImage`, `readCellMask`, `UAM.predict`, `writeCalls` and `writeOverlay`; `UAM_DATA` where the
 *   pixel size is not known; `UAM_ARGUMENT` for names of files that cannot be, before any work is done; `UAM_ABORTED`
 * @example
 * const { image, mask, classes, classNames } = demoTile({ width: 128, height: 128 });
 * const extraction = { features: ['firstorder'], channels: ['grey'] };
 * const table = await radiomics.extract(image, mask, extraction);
 * const labels = Array.from(classes, (c) => classNames[c]);
 * const dataset = CellDataset.from([{ table, mpp: image.mpp, classes: labels }], { classes: classNames, extraction });
 * const model = UAM.create({ width: 8, depth: 1, heads: 2, state: 4, ffn: 8 });
 * await model.fit(dataset, { epochs: 1, validation: 0 });
 * const { predictions } = await analyseImage({ image, mask, model });
 * console.log(predictions.classOf(0));
 */
export async function analyseImage(input: AnalysisInput, options: AnalysisOptions = {}): Promise<Analysis> {
  const { out = [], overlay, measurements: wanted = [], atLeast, colors, objectType, signal, ...prediction } = options;
  const files = typeof out === 'string' ? [out] : out;
  checkNames(files, overlay);
  const call = signal ? { signal } : {};

  const model = typeof input.model === 'string' ? await UAM.load(input.model) : input.model;
  const { image, warnings } = await scaledImage(input, call);
  const { mask, warnings: maskWarnings } = await nucleiOf(image, input.mask, model, call);
  const predictions = await UAM.analyse({ image, mask, model }, { embeddings: false, ...prediction, ...call });
  const cells = await findCellsAsync(mask, call);
  const measurements = measured(predictions.table as FeatureTable, wanted);

  const calls = { classes: predictions.classNames, probabilities: predictions.probabilities };
  const drawn = overlay !== undefined || files.some((file) => callsFormat(file) === 'geojson');
  const outlines = drawn ? await cellContoursAsync(mask, cells, call) : undefined;
  for (const file of files) await writeCalls(file, cells, calls, { outlines, measurements, atLeast, colors, objectType, signal });
  if (overlay !== undefined && outlines) {
    await writeOverlay(overlay, image, outlines, callCells(calls, atLeast).names, { classes: calls.classes, colors, signal });
  }
  return { image, mask, cells, predictions, measurements, warnings: [...warnings, ...maskWarnings] };
}

function checkNames(files: readonly string[], overlay: string | undefined): void {
  for (const file of files) callsFormat(file);
  if (overlay !== undefined && !/\.png$/i.test(overlay)) {
    throw new UamError('UAM_ARGUMENT', `the overlay must be a file that ends in .png, received ${overlay}`);
  }
}

/** The nuclei as they were given, or as the classical segmentation finds them. */
async function nucleiOf(
  image: ScaledImage,
  mask: AnalysisInput['mask'],
  model: UAM,
  call: { signal?: AbortSignal },
): Promise<{ mask: LabelMask; warnings: readonly ImageWarning[] }> {
  if (typeof mask === 'string') {
    const { warnings, ...read } = await readCellMask(mask, image, call);
    return { mask: read, warnings };
  }
  if (mask) return { mask, warnings: [] };
  const stains = model.extraction?.stains;
  return segmentNuclei(image, stains ? { stains } : {}, call);
}

/** Columns of the table by name. */
function measured(table: FeatureTable, wanted: readonly string[] | 'all'): Record<string, Float64Array> {
  const names = wanted === 'all' ? table.names : wanted;
  return Object.fromEntries(names.map((name) => [name, table.column(name).data]));
}
