// A line on the terminal that shows how far a run is. Where standard error is no terminal there is none.

export interface ProgressState {
  images: number;
  imagesDone: number;
  /** Cells of the image in work: known once its mask has been read. */
  cells: number;
  cellsDone: number;
  /** Of all images. */
  totalCells: number;
}

export interface Terminal {
  isTTY?: boolean;
  columns?: number;
  write(text: string): unknown;
}

const interval = 100; // ms between two drawings

export class Progress {
  readonly #on: boolean;
  readonly #start = performance.now();
  #drawn = Number.NEGATIVE_INFINITY;
  #shown = false;

  constructor(
    private readonly terminal: Terminal,
    wanted: boolean,
  ) {
    this.#on = wanted && terminal.isTTY === true;
  }

  /** @param line its text, asked for where it is drawn: seconds since the beginning, and how many letters there is room for */
  update(line: (seconds: number, width: number) => string): void {
    const now = performance.now();
    if (!this.#on || now - this.#drawn < interval) return;
    this.#drawn = now;
    this.#shown = true;
    this.terminal.write(`\r\x1b[K${line((now - this.#start) / 1000, (this.terminal.columns || 80) - 1)}`);
  }

  /** Takes the line away, for a message or at the end; the next update draws it again. */
  clear(): void {
    if (!this.#shown) return;
    this.#shown = false;
    this.#drawn = Number.NEGATIVE_INFINITY;
    this.terminal.write('\r\x1b[K');
  }
}

/** `[#####.....]` */
export function bar(share: number): string {
  const filled = Math.round(20 * Math.min(1, Math.max(0, share)));
  return `[${'#'.repeat(filled)}${'.'.repeat(20 - filled)}]`;
}

/** `0:41` */
export const clock = (seconds: number): string => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, '0')}`;

/** `[#####.....] 12/90 images  3,456 cells  812 cells/s  0:41` */
export function progressLine(state: ProgressState, seconds: number, width: number): string {
  const { images, imagesDone, cells, cellsDone, totalCells } = state;
  const share = images === 0 ? 0 : (imagesDone + (cells > 0 ? cellsDone / cells : 0)) / images;
  const count = (value: number): string => Math.round(value).toLocaleString('en-US');
  const parts = [
    bar(share),
    ...(images > 1 ? [`${imagesDone}/${images} images`] : []),
    `${count(totalCells)} cells`,
    `${count(seconds > 0 ? totalCells / seconds : 0)} cells/s`,
    clock(seconds),
  ];
  return parts.join('  ').slice(0, Math.max(0, width));
}
