import type { Cells } from '../cells/cells.js';
import type { Settings } from './settings.js';
import { type CellStatus, STATUS_NAMES } from './table_columns.js';

const code = (status: CellStatus): number => STATUS_NAMES.indexOf(status);

/** Of a cell that has no pixels left. */
export const NO_VALUES = code('no_values');

/** What PyRadiomics' extractor would refuse, by a cell's form alone: `single_pixel`, `line`, `too_small`, else `ok`. */
export function formStatus(cells: Cells, cell: number, settings: Settings): number {
  const [x0 = 0, y0 = 0, x1 = 0, y1 = 0] = cells.boxes.subarray(4 * cell, 4 * cell + 4);
  const area = cells.areas[cell] as number;
  if (area === 1) return code('single_pixel');
  if (Number(x1 - x0 > 1) + Number(y1 - y0 > 1) < settings.minimumROIDimensions) return code('line');
  if (settings.minimumROISize !== null && area <= settings.minimumROISize) return code('too_small');
  return code('ok');
}

/**
 * Refines the status of a cell that is `ok` by the form, when every feature of a class came out as NaN: the class found no pair of
 * pixels, or no pixels that are numbers.
 */
export function nanStatus(status: number, firstorder: boolean): number {
  if (status !== code('ok')) return status;
  return firstorder ? code('no_values') : code('no_neighbours');
}
