// Tables of a page, and how its numbers are written.
import type { Interval } from './evaluation_report.js';
import { escaped } from './svg_chart.js';

/** Three digits; a dash for a number that does not exist. */
export const three = (value: number): string => (Number.isFinite(value) ? value.toFixed(3) : '-');

export const range = (interval: Interval | undefined): string => (interval ? `${three(interval.low)} to ${three(interval.high)}` : '-');

/** The head of the column that holds intervals. */
export const intervalHead = (level: number): string => `${Math.round(level * 1000) / 10} % interval`;

/** @param rows HTML; their first cells are heads of the rows */
export function table(caption: string, head: readonly string[], rows: readonly (readonly string[])[]): string {
  const cells = (row: readonly string[]) => row.map((cell, i) => (i === 0 ? `<th scope="row">${cell}</th>` : `<td>${cell}</td>`)).join('');
  return (
    `<table><caption class="remark">${escaped(caption)}</caption><thead><tr>${head.map((cell) => `<th scope="col">${escaped(cell)}</th>`).join('')}</tr></thead>` +
    `<tbody>${rows.map((row) => `<tr>${cells(row)}</tr>`).join('')}</tbody></table>`
  );
}
