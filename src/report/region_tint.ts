// Regions on a picture: a tint inside, a line around.
import type { Rgb } from '../cells/palette.js';
import { tracing } from '../cells/region_outlines.js';
import { UamError } from '../errors.js';
import { classColors } from './class_colors.js';
import { TINT } from './legend.js';
import type { Canvas } from './line_drawing.js';
import { type Breather, paintOutlines } from './outlines.js';

/** A mask of regions over the whole of an image, at its size or coarser. */
export interface RegionOverlay {
  mask: { width: number; height: number; data: Uint8Array };
  /** The name of the region that each value stands for: value 1 is the first. 0 is no region. */
  names: readonly string[];
}

/** @throws UamError `UAM_SHAPE`, `UAM_ARGUMENT`, `UAM_DATA` */
export function checkRegion(where: string, { mask: { width, height, data }, names }: RegionOverlay): void {
  if (!(width >= 1 && height >= 1) || !(data instanceof Uint8Array) || data.length !== width * height) {
    throw new UamError('UAM_SHAPE', `${where}: the mask of regions must hold height * width 8-bit values`);
  }
  if (names.length === 0) throw new UamError('UAM_ARGUMENT', `${where}: regions need names, one per value of the mask from 1 on`);
  const most = data.reduce((a, b) => Math.max(a, b), 0);
  if (most > names.length)
    throw new UamError('UAM_DATA', `${where}: the mask holds the value ${most}, but only ${names.length} regions have names`);
}

/** The colours of regions, in the order of their names. */
export function regionColors(names: readonly string[], given: Readonly<Record<string, Rgb>> | undefined): Rgb[] {
  const colors = classColors(names, given);
  return names.map((name) => colors[name] as Rgb);
}

/** Tints the regions on a picture and draws lines around them. */
export async function paintRegions(
  canvas: Canvas,
  { mask, names }: RegionOverlay,
  colors: readonly Rgb[],
  thickness: number,
  breather: Breather,
): Promise<void> {
  const [sx, sy] = [canvas.width / mask.width, canvas.height / mask.height];
  const columns = Int32Array.from({ length: canvas.width }, (_, x) => Math.min(mask.width - 1, Math.floor((x + 0.5) / sx)));
  for (let y = 0; y < canvas.height; y++) {
    const from = Math.min(mask.height - 1, Math.floor((y + 0.5) / sy)) * mask.width;
    for (let x = 0; x < canvas.width; x++) {
      const value = mask.data[from + (columns[x] as number)] as number;
      if (value === 0) continue;
      const color = colors[value - 1] as Rgb;
      const at = (y * canvas.width + x) * 3;
      for (let c = 0; c < 3; c++)
        canvas.data[at + c] = Math.round((canvas.data[at + c] as number) * (1 - TINT) + (color[c] as number) * TINT);
    }
    if (y % 64 === 0) await breather.breathe();
  }
  const { polygons, values } = await breather.through(tracing(mask, { tolerance: 0 }));
  const inkOf = (polygon: number) => (values[polygon] as number) - 1;
  await paintOutlines(canvas, polygons, { scale: [sx, sy], thickness, colors: names.map((_, i) => colors[i] as Rgb), inkOf }, breather);
}
