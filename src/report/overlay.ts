import type { Rgb } from '../cells/palette.js';
import type { Polygons } from '../cells/polygons.js';
import { UamError } from '../errors.js';
import { writeWhole } from '../files/write_whole.js';
import type { RasterImage } from '../image/image.js';
import { classColors } from './class_colors.js';
import { legendOf } from './legend.js';
import type { Canvas } from './line_drawing.js';
import { Breather, bandOf, paintOutlines } from './outlines.js';
import { checkRegion, paintRegions, type RegionOverlay, regionColors } from './region_tint.js';

export interface OverlayOptions {
  /** The classes in the order of the legend; default: those that occur, by name. */
  classes?: readonly string[] | undefined;
  /** Colours of classes, 0 to 255; others get those of `classColors`. */
  colors?: Readonly<Record<string, Rgb>> | undefined;
  /** Pixels of the picture per pixel of the image, 0.01 to 8; default: what makes the longer side about 1600, from 1 to 4, and at most 10000. */
  scale?: number | undefined;
  /** Thickness of the outlines in pixels of the picture; default 2.8. */
  thickness?: number | undefined;
  /** Regions to show under the cells: tinted, with a line around. Their colours are in `colors`, too, by name. */
  region?: RegionOverlay | undefined;
  /** Whether a strip below names the classes and how many cells each has, and the regions; default true. Where the image has a pixel size
   * and regions are shown, it has a scale bar. */
  legend?: boolean | undefined;
  /** Ends the work; the promise then rejects with `UAM_ABORTED`. */
  signal?: AbortSignal | undefined;
}

/** Cells without a class. */
const unclassified: Rgb = [110, 110, 110];

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

/**
 * The image with the outlines of cells in the colours of their classes, regions under them where they are given, and a legend below.
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
  const { scale = defaultScale(image), thickness = 2.8, legend = true, region } = options;
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
  if (region) checkRegion('drawOverlay', region);
  const areaColors = region ? regionColors(region.names, options.colors) : [];
  const width = Math.max(1, Math.round(image.width * scale));
  const height = Math.max(1, Math.round(image.height * scale));
  const occurring = [...new Set(names.filter((name) => name !== undefined))].sort();
  const classes = [...new Set([...(options.classes ?? []), ...occurring])];
  const colors = classColors(classes, options.colors);
  const inks = [...classes.map((name) => colors[name] as Rgb), unclassified];
  const inkOf = new Map(classes.map((name, i) => [name, i]));
  const ink = (name: string | undefined) => (name === undefined ? classes.length : (inkOf.get(name) as number));

  const counts = inks.map((_, i) => names.reduce((sum, name) => sum + (ink(name) === i ? 1 : 0), 0));
  const entries = inks
    .map((color, i) => ({ color, label: `${classes[i] ?? 'no class'} (${counts[i]})` }))
    .slice(0, counts.at(-1) === 0 ? -1 : undefined);
  const areas = region?.names.map((name, i) => ({ color: areaColors[i] as Rgb, label: `region: ${name}`, area: true })) ?? [];
  const strip = legend ? legendOf([...entries, ...areas], width, region && image.mpp && image.mpp[0] / scale) : undefined;

  const rows = height + (strip?.height ?? 0);
  const whole: Canvas = { width, height: rows, channels: 3, data: new Uint8Array(width * rows * 3).fill(255) };
  whole.data.set(await resized(image, width, height));
  const picture = bandOf(whole, 0, height);
  const breather = new Breather('drawOverlay', options.signal);
  if (region) await paintRegions(picture, region, areaColors, 2.2 * thickness, breather);
  await paintOutlines(picture, outlines, { scale: [scale, scale], thickness, colors: inks, inkOf: (i) => ink(names[i]) }, breather);
  strip?.draw(bandOf(whole, height, strip.height));
  return whole;
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
