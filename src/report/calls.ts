import { cellContoursAsync } from '../cells/cell_contours.js';
import type { Cells } from '../cells/cells.js';
import type { Rgb } from '../cells/palette.js';
import type { Polygons } from '../cells/polygons.js';
import { writeGeoJson } from '../cells/write_geojson.js';
import { UamError } from '../errors.js';
import type { LabelMask } from '../image/image.js';
import { FeatureTable } from '../radiomics/table.js';
import type { FeatureColumn, TextColumn } from '../radiomics/table_columns.js';
import { formatOf } from '../radiomics/table_writer.js';
import { classColors } from './class_colors.js';

/** What a model says about cells. */
export interface CellCalls {
  /** Names of the C classes. */
  classes: readonly string[];
  /** `[n, C]`: probabilities of each cell; a row of NaN for a cell that the model could not judge. */
  probabilities: Float32Array | Float64Array;
}

export interface CallOptions {
  /** Cells less sure than this get no class, 0 to 1; default 0. Their probabilities are written all the same. */
  atLeast?: number | undefined;
  /** More values per cell, by name: features, say, or contributions. */
  measurements?: Readonly<Record<string, ArrayLike<number>>> | undefined;
}

/** Cells with the class of each. */
export interface CalledCells {
  /** The class of the greatest probability, the first of equals; undefined where there is none, or not enough of it. */
  names: (string | undefined)[];
  /** That probability, NaN where there is none. */
  confidence: Float64Array;
}

/**
 * The class of each cell.
 *
 * @param atLeast cells less sure than this get none; default 0
 * @throws UamError `UAM_SHAPE` where probabilities do not make rows of classes, `UAM_ARGUMENT`
 * @example
 * const { names } = callCells({ classes: ['tumour', 'other'], probabilities: Float32Array.of(0.9, 0.1, 0.4, 0.6) }, 0.7);
 * console.log(names); // ['tumour', undefined]
 */
export function callCells({ classes, probabilities }: CellCalls, atLeast = 0): CalledCells {
  const width = classes.length;
  if (width === 0 || new Set(classes).size !== width) {
    throw new UamError('UAM_ARGUMENT', `callCells: classes must be different names, received [${classes.join(', ')}]`);
  }
  if (!(atLeast >= 0 && atLeast <= 1)) throw new UamError('UAM_ARGUMENT', `callCells: atLeast must be from 0 to 1, received ${atLeast}`);
  if (probabilities.length % width !== 0) {
    throw new UamError('UAM_SHAPE', `callCells: ${probabilities.length} probabilities do not make rows of ${width} classes`);
  }
  const count = probabilities.length / width;
  const confidence = new Float64Array(count).fill(Number.NaN);
  const names = Array.from({ length: count }, (_, i) => {
    let best = -1;
    for (let c = 0; c < width; c++) {
      const p = probabilities[i * width + c] as number;
      if (best < 0 ? p >= 0 : p > (confidence[i] as number)) {
        best = c;
        confidence[i] = p;
      }
    }
    return best >= 0 && (confidence[i] as number) >= atLeast ? classes[best] : undefined;
  });
  return { names, confidence };
}

/** Column `c` of the probabilities. */
function probabilityOf({ classes, probabilities }: CellCalls, c: number): Float64Array {
  return Float64Array.from({ length: probabilities.length / classes.length }, (_, i) => probabilities[i * classes.length + c] as number);
}

function checkCount(where: string, cells: Pick<Cells, 'count'>, { classes, probabilities }: CellCalls): void {
  if (probabilities.length !== cells.count * classes.length) {
    throw new UamError(
      'UAM_SHAPE',
      `${where}: probabilities must have ${cells.count} x ${classes.length} values, one row per cell, received ${probabilities.length}`,
    );
  }
}

/**
 * Calls as a table: a text column `class` (empty where a cell has none), `probability_<class>` for each class, `confidence`, and the
 * measurements. Several images' tables go into one file through `radiomics.openTableWriter`.
 *
 * @param labels text columns to go first, such as the image's name
 * @throws UamError `UAM_SHAPE`, `UAM_ARGUMENT` for lists that do not fit the cells, or names that come twice
 * @example
 * const cells = findCells({ width: 3, height: 1, data: Uint32Array.of(0, 4, 4) });
 * const table = callsTable(cells, { classes: ['tumour', 'other'], probabilities: Float32Array.of(0.75, 0.25) });
 * console.log(table.toCsv()); // class,label,x,y,touches_border,status,probability_tumour,probability_other,confidence ...
 */
export function callsTable(cells: Cells, calls: CellCalls, options: CallOptions = {}, labels: readonly TextColumn[] = []): FeatureTable {
  checkCount('callsTable', cells, calls);
  const { names, confidence } = callCells(calls, options.atLeast);
  const columns: FeatureColumn[] = [
    ...calls.classes.map((name, c) => ({
      name: `probability_${name}`,
      unit: '1',
      definition: `probability that the cell is of class ${name}`,
      data: probabilityOf(calls, c),
    })),
    { name: 'confidence', unit: '1', definition: 'the greatest of the probabilities', data: confidence },
    ...Object.entries(options.measurements ?? {}).map(([name, values]) => ({
      name,
      unit: '',
      definition: '',
      data: Float64Array.from(values),
    })),
  ];
  return new FeatureTable({
    ids: cells.ids,
    centroids: cells.centroids,
    touchesBorder: cells.touchesBorder,
    status: new Uint8Array(cells.count),
    columns,
    labels: [...labels, { name: 'class', values: names.map((name) => name ?? '') }],
  });
}

export interface WriteCallsOptions extends CallOptions {
  /** The label image that the cells come from: GeoJSON needs outlines. */
  mask?: LabelMask | undefined;
  /** The outlines, where they are known: polygon i is cell i. */
  outlines?: Polygons | undefined;
  /** Colours of classes, 0 to 255; others get those of `classColors`. */
  colors?: Readonly<Record<string, Rgb>> | undefined;
  /** What QuPath calls the objects; default `'detection'`. */
  objectType?: 'detection' | 'cell' | 'annotation' | undefined;
  /** Text columns of a table, such as the image's name. */
  labels?: readonly TextColumn[] | undefined;
  /** Ends the work; the promise then rejects with `UAM_ABORTED`. */
  signal?: AbortSignal | undefined;
}

/**
 * Writes what a model says about cells. The name decides: `.geojson`, `.json` (also `.gz`) is GeoJSON that QuPath opens by dragging it
 * in, detections with class, colour and the measurements `Probability <class>` and `Confidence`; `.csv`, `.csv.gz` and `.parquet` are the
 * table of `callsTable`. The file appears under its name when it is whole.
 *
 * @param path where to
 * @param cells the cells, as `findCells` gives them
 * @param calls their probabilities, a row per cell
 * @returns how many cells were written
 * @throws UamError `UAM_ARGUMENT` for a name of another kind, or GeoJSON without mask or outlines; `UAM_SHAPE`; `UAM_IO`; `UAM_ABORTED`
 * @example
 * const { rm } = await import('node:fs/promises');
 * const mask = { width: 3, height: 1, data: Uint32Array.of(0, 4, 4) };
 * const calls = { classes: ['tumour', 'other'], probabilities: Float32Array.of(0.75, 0.25) };
 * await writeCalls('calls.geojson', findCells(mask), calls, { mask });
 * console.log((await readGeoJson('calls.geojson')).classes); // ['tumour']
 * await rm('calls.geojson');
 */
export async function writeCalls(path: string, cells: Cells, calls: CellCalls, options: WriteCallsOptions = {}): Promise<number> {
  checkCount('writeCalls', cells, calls);
  const { mask, outlines, colors, objectType, labels, signal, measurements = {}, atLeast } = options;
  const refuseAborted = () => {
    if (signal?.aborted) throw new UamError('UAM_ABORTED', `writeCalls: ${path}: ended by its signal`, { cause: signal.reason });
  };
  refuseAborted();
  const format = callsFormat(path);
  if (format !== 'geojson') {
    const table = callsTable(cells, calls, options, labels);
    await (format === 'csv' ? table.writeCsv(path) : table.writeParquet(path));
    return table.length;
  }
  if (!mask && !outlines)
    throw new UamError('UAM_ARGUMENT', `writeCalls: ${path}: GeoJSON needs the cells' outlines: give mask or outlines`);
  const polygons = outlines ?? (await cellContoursAsync(mask as LabelMask, cells, signal ? { signal } : {}));
  const { names, confidence } = callCells(calls, atLeast);
  refuseAborted();
  return writeGeoJson(path, polygons, {
    ...{ objectType, signal },
    ids: cells.ids,
    classes: names,
    colors: classColors(calls.classes, colors),
    measurements: {
      ...Object.fromEntries(calls.classes.map((name, c) => [`Probability ${name}`, probabilityOf(calls, c)])),
      Confidence: confidence,
      ...measurements,
    },
  });
}

/**
 * What `writeCalls` makes of a name.
 *
 * @throws UamError `UAM_ARGUMENT` for a name that does not tell
 * @example
 * callsFormat('cells.geojson.gz');   // 'geojson'
 */
export function callsFormat(path: string): 'geojson' | 'csv' | 'parquet' {
  if (/\.(geojson|json)(\.gz)?$/i.test(path)) return 'geojson';
  try {
    return formatOf(path);
  } catch (cause) {
    throw new UamError('UAM_ARGUMENT', `${path}: the name must end in .geojson, .csv or .parquet (.geojson.gz, .csv.gz)`, { cause });
  }
}
