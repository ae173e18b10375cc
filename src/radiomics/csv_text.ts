// Rows of cells as CSV text (RFC 4180, lines ended by a line feed).
import { LONGEST_NUMBER, NumberText } from './number_text.js';
import { type CellRows, columnNames, STATUS_NAMES, textAt } from './table_columns.js';

/** The first line of a file. */
export const csvHeader = (table: CellRows): string => `${columnNames(table).map(quoted).join(',')}\n`;

/** A text as a field: in quotes where it holds what would end the field, or spaces that readers trim. */
export function quoted(text: string): string {
  return /[",\r\n]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

const comma = 44;
const newline = 10;

/**
 * Gathers CSV text as bytes. Numbers are in the shortest form that reads back as the same float64, NaN is an empty field (which
 * pandas and R read as missing), `touches_border` is 0 or 1.
 */
export class CsvText {
  #bytes: Uint8Array;
  #length = 0;
  readonly #numbers = new NumberText();
  readonly #status = STATUS_NAMES.map((name) => Buffer.from(name));

  constructor(capacity = 1 << 16) {
    this.#bytes = new Uint8Array(capacity);
  }

  /** Bytes gathered so far. */
  get length(): number {
    return this.#length;
  }

  /** What was gathered since the last `clear`. Good until the next change. */
  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  clear(): void {
    this.#length = 0;
  }

  text(text: string): void {
    this.#append(Buffer.from(text));
  }

  /** Row `i` of a table, as a line. */
  row(table: CellRows, i: number): void {
    const { ids, centroids, touchesBorder, status, columns } = table;
    for (const label of table.labels) {
      this.#append(Buffer.from(quoted(textAt(label, i))));
      this.#bytes[this.#length++] = comma;
    }
    this.#reserve((columns.length + 5) * (LONGEST_NUMBER + 1));
    const numbers = this.#numbers;
    const bytes = this.#bytes;
    let at = numbers.write(bytes, this.#length, ids[i] as number);
    bytes[at++] = comma;
    at = numbers.write(bytes, at, centroids[2 * i] as number);
    bytes[at++] = comma;
    at = numbers.write(bytes, at, centroids[2 * i + 1] as number);
    bytes[at++] = comma;
    bytes[at++] = touchesBorder[i] === 0 ? 48 : 49;
    bytes[at++] = comma;
    const name = this.#status[status[i] as number] as Uint8Array;
    bytes.set(name, at);
    at += name.length;
    for (let j = 0; j < columns.length; j++) {
      bytes[at++] = comma;
      at = numbers.write(bytes, at, (columns[j] as { data: Float64Array }).data[i] as number);
    }
    bytes[at++] = newline;
    this.#length = at;
  }

  #append(bytes: Uint8Array): void {
    this.#reserve(bytes.length + 1);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  #reserve(more: number): void {
    const needed = this.#length + more;
    if (needed <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(needed, 2 * this.#bytes.length));
    larger.set(this.bytes);
    this.#bytes = larger;
  }
}

/** A whole table as one text. */
export function csvOf(table: CellRows): string {
  const csv = new CsvText();
  csv.text(csvHeader(table));
  for (let i = 0; i < table.length; i++) csv.row(table, i);
  return Buffer.from(csv.bytes).toString();
}
