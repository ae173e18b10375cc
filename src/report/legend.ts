// What stands below a picture: what its colours mean, and how long a micrometre is.
import type { Rgb } from '../cells/palette.js';
import { type Canvas, fillBox, LineLayer } from './line_drawing.js';
import { drawText, textWidth } from './stroke_letters.js';

export interface LegendEntry {
  label: string;
  color: Rgb;
  /** An area is shown as it is in the picture: tinted, with a rim. */
  area?: boolean | undefined;
}

export interface Legend {
  /** Rows of pixels that it takes. */
  height: number;
  draw(canvas: Canvas): void;
}

const ink: Rgb = [30, 30, 30];

/** How strongly areas are tinted, in pictures and legends. */
export const TINT = 0.14;

const mixed = (color: Rgb, share: number): Rgb => color.map((value) => Math.round(255 * (1 - share) + value * share)) as unknown as Rgb;

/** The height of letters for a picture of this width. */
const letterSize = (width: number): number => Math.min(22, Math.max(8, Math.round(width / 60)));

/** As many entries side by side as the picture is wide. */
function rowsOf(entries: readonly LegendEntry[], width: number, size: number): LegendEntry[][] {
  const rows: LegendEntry[][] = [[]];
  let used = size;
  for (const entry of entries) {
    const own = textWidth(entry.label, size) + 4 * size;
    if (used + own > width && (rows.at(-1) as LegendEntry[]).length > 0) {
      rows.push([]);
      used = size;
    }
    (rows.at(-1) as LegendEntry[]).push(entry);
    used += own;
  }
  return rows;
}

/** A bar of 1, 2 or 5 times a power of ten micrometres, about a sixth of the picture long. */
function barOf(width: number, umPerPixel: number): { length: number; label: string } {
  const wanted = (width * umPerPixel) / 6;
  const power = 10 ** Math.floor(Math.log10(wanted));
  const um = ([5, 2].find((times) => times * power <= wanted) ?? 1) * power;
  return { length: um / umPerPixel, label: um >= 1000 ? `${um / 1000} mm` : `${Number(um.toPrecision(1))} um` };
}

function drawBar(canvas: Canvas, layer: LineLayer, y: number, size: number, umPerPixel: number): void {
  const { length, label } = barOf(canvas.width, umPerPixel);
  const right = canvas.width - size;
  const left = right - length;
  const thick = Math.max(2, Math.round(size / 4));
  const middle = y + size / 2;
  fillBox(canvas, Math.round(left), Math.round(middle - thick / 2), Math.round(right), Math.round(middle - thick / 2) + thick, ink);
  drawText(layer, label, left - textWidth(label, size) - 0.4 * size, y, size, 0);
}

/**
 * Lays a legend out for a picture.
 *
 * @param umPerPixel of the picture, where it is known: then a scale bar stands at the right of the last line
 */
export function legendOf(entries: readonly LegendEntry[], width: number, umPerPixel?: number): Legend {
  const size = letterSize(width);
  const rows = rowsOf(entries, width, size);
  if (umPerPixel !== undefined) {
    const { length, label } = barOf(width, umPerPixel);
    const used = (rows.at(-1) as LegendEntry[]).reduce((sum, entry) => sum + textWidth(entry.label, size) + 4 * size, size);
    if (used + length + textWidth(label, size) + 3 * size > width) rows.push([]);
  }
  return {
    height: Math.round(size * (0.8 + 2 * rows.length)),
    draw(canvas) {
      const layer = new LineLayer(canvas.width, canvas.height);
      rows.forEach((row, r) => {
        const y = Math.round(size * (0.9 + 2 * r));
        let x = size;
        for (const { label, color, area } of row) {
          fillBox(canvas, Math.round(x), y, Math.round(x + size), y + size, color);
          const rim = Math.max(2, Math.round(size / 7));
          if (area) fillBox(canvas, Math.round(x) + rim, y + rim, Math.round(x + size) - rim, y + size - rim, mixed(color, 2 * TINT));
          x = drawText(layer, label, x + 1.6 * size, y, size, 0) + 1.4 * size;
        }
      });
      if (umPerPixel !== undefined) drawBar(canvas, layer, Math.round(size * (0.9 + 2 * (rows.length - 1))), size, umPerPixel);
      layer.paint(canvas, [ink]);
    },
  };
}
