// What files say of the classes of an image's cells.
import { UamError } from '../errors.js';
import type { FoundCells } from './cell_source.js';
import { numberIn, readCsv } from './csv_rows.js';
import type { SampleInput } from './dataset.js';
import { matchPoints } from './match_points.js';

/** The cells of an image, as far as points and classes ask for them. */
type CellsOfMask = Pick<FoundCells, 'ids' | 'mask'>;

/** Expert's points: `x,y,class`. */
export async function pointsIn(path: string, { ids, mask }: CellsOfMask): Promise<Pick<SampleInput, 'points'>> {
  const rows = await readCsv(path, ['x', 'y', 'class']);
  const places = Float64Array.from(rows.flatMap((row, i) => ['x', 'y'].map((axis) => numberIn(row, axis, `${path}: line ${i + 2}`))));
  const rowOf = new Map([...ids].map((id, row) => [id, row]));
  const cells = Array.from(matchPoints(await mask(), places), (id) => rowOf.get(id) ?? -1);
  return { points: { cells, classes: rows.map((row) => row['class'] ?? '') } };
}

/** Classes of nuclei: `label,class`. Nuclei that are not named have none. */
export async function classesIn(path: string, { ids }: CellsOfMask): Promise<Pick<SampleInput, 'classes'>> {
  const rows = await readCsv(path, ['label', 'class']);
  const named = new Map(rows.map((row, i) => [numberIn(row, 'label', `${path}: line ${i + 2}`), row['class'] ?? '']));
  const known = new Set(ids);
  const strange = [...named.keys()].find((label) => !known.has(label));
  if (strange !== undefined) throw new UamError('UAM_DATA', `${path}: the mask has no nucleus ${strange}`);
  return { classes: Array.from(ids, (id) => named.get(id)) };
}
