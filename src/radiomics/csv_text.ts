// Rows of cells as CSV text (RFC 4180, lines ended by a line feed).
import { type CellRows, columnNames, STATUS_NAMES, textAt } from './table_columns.js';

/** The first line of a file. */
export const csvHeader = (table: CellRows): string => `${columnNames(table).map(quoted).join(',')}\n`;

/** A text as a field: in quotes where it holds what would end the field, or spaces that readers trim. */
export function quoted(text: string): string {
  return /[",\r\n]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/**
 * Rows `from` to `to - 1`. Numbers are in the shortest form that reads back as the same float64, NaN is an empty field (which
 * pandas and R read as missing), `touches_border` is 0 or 1.
 */
export function csvRows(table: CellRows, from: number, to: number): string {
  const { ids, centroids, touchesBorder, status } = table;
  const texts = table.labels.map((label) => (typeof label.values === 'string' ? quoted(label.values) : label));
  const columns = table.columns.map(({ data }) => data);
  const lead = texts.length + 5;
  const fields = new Array<string | number>(lead + columns.length);
  let lines = '';
  for (let i = from; i < to; i++) {
    for (let j = 0; j < texts.length; j++) {
      const text = texts[j] as (typeof texts)[number];
      fields[j] = typeof text === 'string' ? text : quoted(textAt(text, i));
    }
    fields[lead - 5] = ids[i] as number;
    fields[lead - 4] = field(centroids[2 * i] as number);
    fields[lead - 3] = field(centroids[2 * i + 1] as number);
    fields[lead - 2] = touchesBorder[i] === 0 ? 0 : 1;
    fields[lead - 1] = STATUS_NAMES[status[i] as number] as string;
    for (let j = 0; j < columns.length; j++) fields[lead + j] = field((columns[j] as Float64Array)[i] as number);
    lines += `${fields.join(',')}\n`;
  }
  return lines;
}

/** `Array.join` prints numbers as they should be, but for NaN and the sign of zero. */
function field(value: number): string | number {
  if (Number.isNaN(value)) return '';
  return value === 0 && 1 / value < 0 ? '-0' : value;
}
