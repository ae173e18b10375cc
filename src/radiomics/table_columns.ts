// What the columns of a table of cells are: for the table itself, and for the writers that turn it into files.
import { UamError } from '../errors.js';

/** What `status` codes mean: why a cell has NaN where others have values. */
export const STATUS_NAMES = Object.freeze(['ok', 'single_pixel', 'line', 'no_neighbours', 'too_small', 'no_values'] as const);

/** Why a cell has NaN where others have values; `'ok'` where nothing stood in the way. */
export type CellStatus = (typeof STATUS_NAMES)[number];

/** The columns that every table has, between its text columns and its features. */
export const CELL_COLUMNS = Object.freeze(['label', 'x', 'y', 'touches_border', 'status'] as const);

/** One feature of every cell. */
export interface FeatureColumn {
  /** As PyRadiomics would name it, after a channel and a filter where there are several: `original_glcm_Contrast`. */
  name: string;
  /** `'um'`, `'um^2'`, `'1'` and so on. */
  unit: string;
  /** What it is, in a sentence. */
  definition: string;
  /** A value per cell; NaN where the feature does not exist for the cell. */
  data: Float64Array;
}

/** Text that goes before a row: the image, the patient. One text for all rows may be given once. */
export interface TextColumn {
  name: string;
  values: readonly string[] | string;
}

/** What a `FeatureTable` is made of. Entry `i` of each array speaks of the same cell. */
export interface FeatureTableParts {
  /** The cells' ids in their mask. */
  ids: Uint32Array;
  /** `[n, 2]`: x and y in pixels; the centre of the first pixel is (0, 0). */
  centroids: Float64Array;
  /** 1 where the cell touches the border of the image. */
  touchesBorder: Uint8Array;
  /** Indices into `STATUS_NAMES`. */
  status: Uint8Array;
  columns: readonly FeatureColumn[];
  /** Text columns, which come first. */
  labels?: readonly TextColumn[] | undefined;
}

/** The parts of a table that has been checked, as the writers see it. */
export interface CellRows extends FeatureTableParts {
  readonly length: number;
  readonly labels: readonly TextColumn[];
}

/** The text of a text column in a row. */
export const textAt = ({ values }: TextColumn, row: number): string => (typeof values === 'string' ? values : (values[row] as string));

/** Throws where `table` has other columns than `first`: tables that follow each other must have the same ones, in one order. */
export function refuseOtherColumns(first: CellRows, table: CellRows, where: string): void {
  const expected = columnNames(first);
  const received = columnNames(table);
  const same = first.labels.length === table.labels.length && expected.length === received.length;
  if (same && expected.every((name, i) => name === received[i])) return;
  const lacks = expected.filter((name) => !received.includes(name));
  const adds = received.filter((name) => !expected.includes(name));
  const what = [
    ...(lacks.length > 0 ? [`lacks ${some(lacks)}`] : []),
    ...(adds.length > 0 ? [`adds ${some(adds)}`] : []),
    ...(lacks.length + adds.length === 0 ? ['has them in another order'] : []),
  ];
  throw new UamError('UAM_SHAPE', `${where} must have the same columns as the first table, but ${what.join(' and ')}`);
}

/** The names of all columns in the order of the files. */
export const columnNames = ({ labels, columns }: CellRows): string[] => [
  ...labels.map(({ name }) => name),
  ...CELL_COLUMNS,
  ...columns.map(({ name }) => name),
];

/** The first three names, and how many there are. */
export const some = (names: readonly string[]): string =>
  names.slice(0, 3).join(', ') + (names.length > 3 ? ` and ${names.length - 3} more` : '');
