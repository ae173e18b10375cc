import { setImmediate } from 'node:timers/promises';
import type { Rgb } from '../cells/palette.js';
import type { Polygons } from '../cells/polygons.js';
import { UamError } from '../errors.js';
import { writeWhole } from '../files/write_whole.js';
import type { RasterImage } from '../image/image.js';
import { classColors } from './class_colors.js';
import { type Canvas, fillBox, LineLayer } from './line_drawing.js';
import { drawText, textWidth } from './stroke_letters.js';

export interface OverlayOptions {
  /** The classes in the order of the legend; default: those that occur, by name. */
  classes?: readonly string[] | undefined;
  /** Colours of classes, 0 to 255; others get those of `classColors`. */
  colors?: Readonly<Record<string, Rgb>> | undefined;
  /** Pixels of the picture per pixel of the image, 0.01 to 8; default: what makes the longer side about 1600, from 1 to 4, and at most 10000. */
  scale?: number | undefined;
  /** Thickness of the outlines in pixels of the picture; default 2.8. */
  thickness?: number | undefined;
  /** Whether a strip below names the classes and how many cells each has; default true. */
  legend?: boolean | undefined;
  /** Ends the work; the promise then rejects with `UAM_ABORTED`. */
  signal?: AbortSignal | undefined;
}

/** Cells without a class. */
const unclassified: Rgb = [110, 110, 110];
const paper: Rgb = [255, 255, 255];
const text: Rgb = [30, 30, 30];

/** Rows of the picture that are painted in one go. */
const bandRows = 128;

function defaultScale({ width, height }: RasterImage): number {
  const longer = Math.max(width, height, 1);
  return Math.min(10000 / longer, Math.min(4, Math.max(1, Math.round(1600 / longer))));
}

/** 8-bit RGB at another size, through sharp. */
async function resized(image: RasterImage, width: number, height: number): Promise<Buffer> {
  const { default: sharp } = await import('sharp');
  const { data, channels } = image;
  return sharp(Buffer.from(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength), {
    raw: { width: image.width, height: image.height, channels },
    limitInputPixels: false,
  })
    .resize(width, height, { fit: 'fill', kernel: 'cubic' })
    .toColourspace('srgb')
    .removeAlpha()
    .raw()
    .toBuffer();
}

/** A ring of pixel edges as a smooth one: points a pixel apart, each then moved twice toward its neighbours. */
function smooth(points: Float64Array, from: number, to: number): Float64Array {
  const dense: number[] = [];
  for (let at = from; at < to; at++) {
    const next = at + 1 < to ? at + 1 : from;
    const [ax, ay] = [points[2 * at] as number, points[2 * at + 1] as number];
    const [bx, by] = [points[2 * next] as number, points[2 * next + 1] as number];
    const steps = Math.min(4096, Math.max(1, Math.round(Math.hypot(bx - ax, by - ay))));
    for (let k = 0; k < steps; k++) dense.push(ax + ((bx - ax) * k) / steps, ay + ((by - ay) * k) / steps);
  }
  let ring = Float64Array.from(dense);
  const count = ring.length / 2;
  for (let round = 0; round < 2; round++) {
    ring = ring.map((value, i) => {
      const axis = i % 2;
      const at = (i - axis) / 2;
      const [before, after] = [(at + count - 1) % count, (at + 1) % count];
      return (value * 2 + (ring[2 * before + axis] as number) + (ring[2 * after + axis] as number)) / 4;
    });
  }
  return ring;
}

/** Lets other work of the process go on where this one has had its share of the time. */
class Breather {
  #since = performance.now();

  constructor(private readonly signal: AbortSignal | undefined) {}

  async breathe(): Promise<void> {
    if (this.signal?.aborted) throw new UamError('UAM_ABORTED', 'drawOverlay was ended by its signal', { cause: this.signal.reason });
    if (performance.now() - this.#since < 15) return;
    await setImmediate();
    this.#since = performance.now();
  }
}

async function drawOutlines(
  layer: LineLayer,
  outlines: Polygons,
  scale: number,
  thickness: number,
  inkOf: (polygon: number) => number,
  breather: Breather,
): Promise<void> {
  for (let i = 0; i < outlines.count; i++) {
    await breather.breathe();
    const ink = inkOf(i);
    for (let r = outlines.polygonOffsets[i] as number; r < (outlines.polygonOffsets[i + 1] as number); r++) {
      const ring = smooth(outlines.points, outlines.ringOffsets[r] as number, outlines.ringOffsets[r + 1] as number);
      for (let at = 0; at < ring.length; at += 2) {
        const next = (at + 2) % ring.length;
        layer.line(
          (ring[at] as number) * scale,
          (ring[at + 1] as number) * scale,
          (ring[next] as number) * scale,
          (ring[next + 1] as number) * scale,
          thickness,
          ink,
        );
      }
    }
  }
}

interface Entry {
  label: string;
  color: Rgb;
}

/** The legend's lines of entries: as many side by side as the picture is wide. */
function legendRows(entries: readonly Entry[], width: number, size: number): Entry[][] {
  const rows: Entry[][] = [[]];
  let used = size;
  for (const entry of entries) {
    const own = textWidth(entry.label, size) + 4 * size;
    if (used + own > width && (rows.at(-1) as Entry[]).length > 0) {
      rows.push([]);
      used = size;
    }
    (rows.at(-1) as Entry[]).push(entry);
    used += own;
  }
  return rows;
}

function drawLegend(canvas: Canvas, rows: readonly Entry[][], size: number): void {
  const layer = new LineLayer(canvas.width, canvas.height);
  rows.forEach((row, r) => {
    const y = Math.round(size * (0.9 + 2 * r));
    let x = size;
    for (const { label, color } of row) {
      fillBox(canvas, Math.round(x), y, Math.round(x + size), y + size, color);
      x = drawText(layer, label, x + 1.6 * size, y, size, 0) + 1.4 * size;
    }
  });
  layer.paint(canvas, [text]);
}

/**
 * The image with the outlines of cells in the colours of their classes, and a legend below.
 *
 * @param image 8-bit, grey or RGB
 * @param outlines of the cells, in pixels of the image
 * @param names the class of each cell; undefined for none (grey)
 * @returns an 8-bit RGB image, `scale` times as large
 * @throws UamError `UAM_ARGUMENT` for an image that is not 8-bit or options outside their range, `UAM_SHAPE` where names are missing
 * @example
 * const mask = { width: 8, height: 8, data: new Uint32Array(64).fill(1, 18, 22) };
 * const image = { width: 8, height: 8, channels: 3, data: new Uint8Array(192).fill(230) };
 * const picture = await drawOverlay(image, cellContours(mask, findCells(mask)), ['tumour'], { scale: 4 });
 * console.log(picture.width); // 32
 */
export async function drawOverlay(
  image: RasterImage,
  outlines: Polygons,
  names: readonly (string | undefined)[],
  options: OverlayOptions = {},
): Promise<RasterImage> {
  const { scale = defaultScale(image), thickness = 2.8, legend = true } = options;
  if (!(image.data instanceof Uint8Array) || image.data.length !== image.width * image.height * image.channels) {
    throw new UamError('UAM_ARGUMENT', 'drawOverlay: the image must be 8-bit, height * width * channels values');
  }
  if (names.length !== outlines.count) {
    throw new UamError('UAM_SHAPE', `drawOverlay: names must have one entry per outline, ${outlines.count}, received ${names.length}`);
  }
  if (!(scale >= 0.01 && scale <= 8)) throw new UamError('UAM_ARGUMENT', `drawOverlay: scale must be from 0.01 to 8, received ${scale}`);
  if (!(thickness > 0 && thickness <= 100)) {
    throw new UamError('UAM_ARGUMENT', `drawOverlay: thickness must be from 0 to 100 pixels, received ${thickness}`);
  }
  const width = Math.max(1, Math.round(image.width * scale));
  const height = Math.max(1, Math.round(image.height * scale));
  const occurring = [...new Set(names.filter((name) => name !== undefined))].sort();
  const classes = [...new Set([...(options.classes ?? []), ...occurring])];
  const colors = classColors(classes, options.colors);
  const inks = [...classes.map((name) => colors[name] as Rgb), unclassified];
  const inkOf = new Map(classes.map((name, i) => [name, i]));
  const ink = (name: string | undefined) => (name === undefined ? classes.length : (inkOf.get(name) as number));

  const size = Math.min(22, Math.max(8, Math.round(width / 60)));
  const counts = inks.map((_, i) => names.reduce((sum, name) => sum + (ink(name) === i ? 1 : 0), 0));
  const entries = inks.map((color, i) => ({ color, label: `${classes[i] ?? 'no class'} (${counts[i]})` }));
  const rows = legend ? legendRows(entries.slice(0, counts.at(-1) === 0 ? -1 : undefined), width, size) : [];
  const strip = legend ? Math.round(size * (0.8 + 2 * rows.length)) : 0;

  const data = new Uint8Array(width * (height + strip) * 3).fill(paper[0]);
  data.set(await resized(image, width, height));
  const part = (from: number, rows: number): Canvas => ({
    width,
    height: rows,
    channels: 3,
    data: data.subarray(from * width * 3, (from + rows) * width * 3),
  });
  const breather = new Breather(options.signal);
  for (const [extra, colorsOf, opacity] of [
    [1.6, inks.map(() => paper), 0.75],
    [0, inks, 1],
  ] as const) {
    const layer = new LineLayer(width, height); // first a light edge that lifts the outline off the tissue
    await drawOutlines(layer, outlines, scale, thickness + extra, (i) => ink(names[i]), breather);
    for (let y = 0; y < height; y += bandRows) {
      await breather.breathe();
      layer.paint(part(y, Math.min(bandRows, height - y)), colorsOf, opacity, y);
    }
  }
  if (legend) drawLegend(part(height, strip), rows, size);
  return { width, height: height + strip, channels: 3, data };
}

/**
 * As `drawOverlay`, into a PNG file, which appears under its name when it is whole.
 *
 * @param path where to; must end in `.png`
 * @throws UamError as `drawOverlay`; `UAM_IO` where the file cannot be written
 * @example
 * const { rm } = await import('node:fs/promises');
 * const { image, mask, classes, classNames } = demoTile({ width: 64, height: 64 });
 * const names = Array.from(classes, (c) => classNames[c]);
 * await writeOverlay('overlay.png', image, cellContours(mask, findCells(mask)), names);
 * await rm('overlay.png');
 */
export async function writeOverlay(
  path: string,
  image: RasterImage,
  outlines: Polygons,
  names: readonly (string | undefined)[],
  options: OverlayOptions = {},
): Promise<void> {
  if (!/\.png$/i.test(path)) throw new UamError('UAM_ARGUMENT', `writeOverlay: the file must end in .png, received ${path}`);
  const { width, height, data } = await drawOverlay(image, outlines, names, options);
  const { default: sharp } = await import('sharp');
  const png = await sharp(data as Uint8Array, { raw: { width, height, channels: 3 }, limitInputPixels: false })
    .png()
    .toBuffer();
  await writeWhole(path, [png]);
}
