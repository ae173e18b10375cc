// Lines and letters on pixels, smooth at their edges, the same on every machine: no fonts, no renderer that one must have.
import type { Rgb } from '../cells/palette.js';
import type { RasterImage } from '../image/image.js';

/** An 8-bit RGB image to draw on. */
export interface Canvas extends RasterImage {
  channels: 3;
  data: Uint8Array;
}

/** How much of each pixel lines cover, before they are painted: crossing lines of one stroke do not darken each other. */
export class LineLayer {
  readonly #cover: Uint8Array;
  readonly #ink: Uint8Array;

  constructor(
    readonly width: number,
    readonly height: number,
  ) {
    this.#cover = new Uint8Array(width * height);
    this.#ink = new Uint8Array(width * height);
  }

  /** A line with round ends; coordinates in pixels, the centre of the first is (0.5, 0.5). `ink` names its colour in `paint`. */
  line(ax: number, ay: number, bx: number, by: number, thickness: number, ink: number): void {
    const reach = thickness / 2 + 1;
    const x0 = Math.max(0, Math.floor(Math.min(ax, bx) - reach));
    const x1 = Math.min(this.width - 1, Math.ceil(Math.max(ax, bx) + reach));
    const y0 = Math.max(0, Math.floor(Math.min(ay, by) - reach));
    const y1 = Math.min(this.height - 1, Math.ceil(Math.max(ay, by) + reach));
    const dx = bx - ax;
    const dy = by - ay;
    const squared = dx * dx + dy * dy;
    for (let y = y0; y <= y1; y++) {
      for (let x = x0; x <= x1; x++) {
        const px = x + 0.5 - ax;
        const py = y + 0.5 - ay;
        const t = squared > 0 ? Math.min(1, Math.max(0, (px * dx + py * dy) / squared)) : 0;
        const distance = Math.sqrt((px - t * dx) ** 2 + (py - t * dy) ** 2);
        const cover = Math.round(255 * Math.min(1, Math.max(0, thickness / 2 + 0.5 - distance)));
        const at = y * this.width + x;
        if (cover > (this.#cover[at] as number)) {
          this.#cover[at] = cover;
          this.#ink[at] = ink;
        }
      }
    }
  }

  /** Puts the lines from row `top` on onto an image of the same width. */
  paint({ data, height }: Canvas, inks: readonly Rgb[], opacity = 1, top = 0): void {
    const before = top * this.width;
    for (let at = 0; at < height * this.width; at++) {
      const share = ((this.#cover[before + at] as number) / 255) * opacity;
      if (share === 0) continue;
      const color = inks[this.#ink[before + at] as number] as Rgb;
      for (let c = 0; c < 3; c++) data[at * 3 + c] = Math.round((data[at * 3 + c] as number) * (1 - share) + (color[c] as number) * share);
    }
  }
}

/** Fills a rectangle. */
export function fillBox(canvas: Canvas, x0: number, y0: number, x1: number, y1: number, color: Rgb): void {
  for (let y = Math.max(0, y0); y < Math.min(canvas.height, y1); y++) {
    for (let x = Math.max(0, x0); x < Math.min(canvas.width, x1); x++) canvas.data.set(color, (y * canvas.width + x) * 3);
  }
}
