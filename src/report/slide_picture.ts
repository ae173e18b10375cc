// A slide as a small picture: read band by band through the level that fits, so that no level need be held.
import { UamError } from '../errors.js';
import type { RasterImage } from '../image/image.js';
import type { OpenedImage } from '../image/open_image.js';
import type { Canvas } from './line_drawing.js';
import type { Breather } from './outlines.js';

/** Values of a level that are read at once. */
const BAND = 1 << 24;

/** The level with the fewest pixels that are still no larger than those of a picture of this width. */
export function fittingLevel({ levels }: OpenedImage, width: number): number {
  let best = 0;
  levels.forEach((level, i) => {
    if (level.width >= width && level.width <= (levels[best] as { width: number }).width) best = i;
  });
  return best;
}

/** Every band of a level, from the top, some rows at a time. */
async function* bandsOf(
  slide: OpenedImage,
  level: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<{ y: number; band: RasterImage }> {
  const { width, height } = slide.levels[level] as { width: number; height: number };
  // Rows of whole tiles, whatever their size: the usual ones divide 1024, and what is cut is unpacked twice.
  const most = Math.max(64, Math.floor(BAND / (width * slide.channels)));
  const rows = most >= 1024 ? most - (most % 1024) : 2 ** Math.floor(Math.log2(most));
  for (let y = 0; y < height; y += rows) {
    const band = await slide.read({ level, y, height: Math.min(rows, height - y), ...(signal ? { signal } : {}) });
    yield { y, band };
  }
}

/** For each pixel of a level along one axis, the pixel of the picture that its centre lies in. */
const targetsOf = (from: number, to: number): Int32Array =>
  Int32Array.from({ length: from }, (_, i) => Math.min(to - 1, Math.floor(((i + 0.5) * to) / from)));

/**
 * Draws the slide on a canvas: each pixel is the mean of those of the level whose centres lie in it.
 *
 * @throws UamError `UAM_DATA` where the slide is not 8-bit
 */
export async function paintSlide(canvas: Canvas, slide: OpenedImage, breather: Breather, signal?: AbortSignal): Promise<void> {
  const { width, height } = canvas;
  const level = fittingLevel(slide, width);
  const size = slide.levels[level] as { width: number; height: number };
  const columns = targetsOf(size.width, width);
  const lines = targetsOf(size.height, height);
  const { channels } = slide;
  const sums = new Float64Array(width * 3);
  const counts = new Uint32Array(width);
  let line = 0;
  const finish = (): void => {
    for (let x = 0; x < width; x++) {
      for (let c = 0; c < 3; c++) canvas.data[(line * width + x) * 3 + c] = Math.round((sums[x * 3 + c] as number) / (counts[x] as number));
    }
    sums.fill(0);
    counts.fill(0);
  };
  for await (const { y, band } of bandsOf(slide, level, signal)) {
    const { data } = band;
    if (!(data instanceof Uint8Array)) {
      throw new UamError(
        'UAM_DATA',
        `${slide.name}: a picture is made of 8-bit images; this one has ${8 * data.BYTES_PER_ELEMENT} bits per sample`,
      );
    }
    for (let r = 0; r < band.height; r++) {
      if (lines[y + r] !== line) {
        finish();
        line = lines[y + r] as number;
      }
      addRow(sums, counts, data, r * size.width * channels, columns, channels);
      await breather.breathe();
    }
  }
  finish();
}

function addRow(sums: Float64Array, counts: Uint32Array, data: Uint8Array, from: number, columns: Int32Array, channels: number): void {
  const [g, b] = channels === 3 ? [1, 2] : [0, 0];
  for (let x = 0, at = from; x < columns.length; x++, at += channels) {
    const to = columns[x] as number;
    counts[to] = (counts[to] as number) + 1;
    sums[to * 3] = (sums[to * 3] as number) + (data[at] as number);
    sums[to * 3 + 1] = (sums[to * 3 + 1] as number) + (data[at + g] as number);
    sums[to * 3 + 2] = (sums[to * 3 + 2] as number) + (data[at + b] as number);
  }
}

/** A mask of regions as large as a picture at most: each of its pixels has the value that the level's pixel under its centre has. */
export async function smallMask(
  mask: OpenedImage,
  width: number,
  height: number,
  breather: Breather,
  signal?: AbortSignal,
): Promise<{ width: number; height: number; data: Uint8Array }> {
  const level = fittingLevel(mask, width);
  const size = mask.levels[level] as { width: number; height: number };
  const [w, h] = [Math.min(width, size.width), Math.min(height, size.height)];
  const data = new Uint8Array(w * h);
  const centre = (i: number, from: number, to: number) => Math.min(from - 1, Math.floor(((i + 0.5) * from) / to));
  let next = 0;
  for await (const { y, band } of bandsOf(mask, level, signal)) {
    for (; next < h; next++) {
      const row = centre(next, size.height, h);
      if (row >= y + band.height) break;
      await breather.breathe();
      for (let x = 0; x < w; x++) data[next * w + x] = band.data[(row - y) * size.width + centre(x, size.width, w)] as number;
    }
  }
  return { width: w, height: h, data };
}
