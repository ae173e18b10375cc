// A whole slide in one picture: tissue, tumour regions, and every cell as a dot.
import type { Rgb } from '../cells/palette.js';
import { UamError } from '../errors.js';
import { writeWhole } from '../files/write_whole.js';
import type { OpenedImage } from '../image/open_image.js';
import { classColors } from './class_colors.js';
import { type LegendEntry, legendOf } from './legend.js';
import { type Canvas, LineLayer } from './line_drawing.js';
import { Breather, bandOf, paintLayer } from './outlines.js';
import { checkRegion, paintRegions, regionColors } from './region_tint.js';
import { paintSlide, smallMask } from './slide_picture.js';

export interface SlideOverlayOptions {
  /** The classes of cells, in the order of the legend. */
  classes: readonly string[];
  /** The names of regions: value 1 of the mask given to `close` is the first; default none. */
  regions?: readonly string[] | undefined;
  /** The longer side of the picture in pixels, 64 to 10000, no larger than the slide; default 2400. */
  side?: number | undefined;
  /** The diameter of a cell's dot in pixels of the picture, 0.5 to 50; default that of 5.5 um there, from 1.3 to 7 pixels. */
  dot?: number | undefined;
  /** Colours of classes and regions, by name, 0 to 255; others get those of `classColors`. */
  colors?: Readonly<Record<string, Rgb>> | undefined;
  /** Ends the work: what waits then rejects with `UAM_ABORTED`. */
  signal?: AbortSignal | undefined;
}

/** A picture of a slide in the making. */
export interface SlideOverlay {
  /** Pixels of the picture per pixel of the slide. */
  readonly scale: number;
  /**
   * Adds cells, as many as are at hand: those of a tile, rather than of the slide, so that other work may go on between.
   *
   * @param positions `[n, 2]`: x and y in pixels of the slide's full resolution
   * @param classes `[n]`: the class of each, an index into the names; any other number, such as 255, for none
   * @throws UamError `UAM_SHAPE`
   */
  addCells(positions: ArrayLike<number>, classes: ArrayLike<number>): void;
  /**
   * Draws the picture and writes it, a PNG file that appears under its name when it is whole.
   *
   * @param mask a mask of the regions over the whole slide, such as a pyramid TIFF: it is read at the level that fits
   * @throws UamError `UAM_IO`, `UAM_ABORTED`, `UAM_DATA` for a mask with values that no region has, or a slide that is not 8-bit
   */
  close(mask?: OpenedImage): Promise<void>;
}

const unclassified: Rgb = [110, 110, 110];
const paper: Rgb = [255, 255, 255];

/** 12,345: numbers of cells are long. */
const grouped = (count: number): string => String(count).replace(/\B(?=(\d{3})+$)/g, ',');

const areaText = (um2: number): string => (um2 >= 1e5 ? `${(um2 / 1e6).toPrecision(3)} sq mm` : `${Math.round(um2)} sq um`);

class Drawing implements SlideOverlay {
  readonly scale: number;
  readonly #width: number;
  readonly #height: number;
  readonly #dots: LineLayer;
  readonly #halo: LineLayer;
  readonly #dot: number;
  readonly #inks: readonly Rgb[];
  readonly #counts: number[];

  constructor(
    private readonly path: string,
    private readonly slide: OpenedImage,
    private readonly options: SlideOverlayOptions,
  ) {
    const { classes, side = 2400, colors } = options;
    this.scale = Math.min(1, side / Math.max(slide.width, slide.height));
    this.#width = Math.max(1, Math.round(slide.width * this.scale));
    this.#height = Math.max(1, Math.round(slide.height * this.scale));
    const cell = slide.mpp ? (5.5 * this.scale) / slide.mpp[0] : 3;
    this.#dot = options.dot ?? Math.min(7, Math.max(1.3, cell));
    const named = classColors(classes, colors);
    this.#inks = [...classes.map((name) => named[name] as Rgb), unclassified];
    this.#counts = this.#inks.map(() => 0);
    this.#dots = new LineLayer(this.#width, this.#height);
    this.#halo = new LineLayer(this.#width, this.#height);
  }

  addCells(positions: ArrayLike<number>, classes: ArrayLike<number>): void {
    if (positions.length !== 2 * classes.length) {
      throw new UamError(
        'UAM_SHAPE',
        `${this.path}: ${classes.length} cells need as many positions x, y, received ${positions.length} numbers`,
      );
    }
    const none = this.options.classes.length;
    for (let i = 0; i < classes.length; i++) {
      const given = classes[i] as number;
      const ink = Number.isInteger(given) && given >= 0 && given < none ? given : none;
      const [x, y] = [(positions[2 * i] as number) * this.scale, (positions[2 * i + 1] as number) * this.scale];
      this.#counts[ink] = (this.#counts[ink] as number) + 1;
      this.#dots.line(x, y, x, y, this.#dot, ink);
      if (this.#dot >= 4) this.#halo.line(x, y, x, y, this.#dot + 1.6, 0); // smaller ones would be more rim than dot
    }
  }

  async close(mask?: OpenedImage): Promise<void> {
    const { signal, regions = [], colors } = this.options;
    const breather = new Breather('the picture of the slide', signal);
    const [width, height] = [this.#width, this.#height];
    const region = mask && { mask: await smallMask(mask, width, height, breather, signal), names: regions };
    if (region) checkRegion(this.path, region);
    const areaColors = regionColors(regions, colors);
    const areas = region ? this.#areas(region.mask, areaColors) : [];
    const mpp = this.slide.mpp && this.slide.mpp[0] / this.scale;
    const strip = legendOf([...this.#cellEntries(), ...areas], width, mpp);
    const rows = height + strip.height;
    const whole: Canvas = { width, height: rows, channels: 3, data: new Uint8Array(width * rows * 3).fill(255) };
    const picture = bandOf(whole, 0, height);
    await paintSlide(picture, this.slide, breather, signal);
    if (region) await paintRegions(picture, region, areaColors, Math.max(1.2, width / 1500), breather);
    await paintLayer(picture, this.#halo, [paper], 0.6, breather);
    await paintLayer(picture, this.#dots, this.#inks, 0.85, breather);
    strip.draw(bandOf(whole, height, strip.height));
    const { default: sharp } = await import('sharp');
    const png = await sharp(whole.data, { raw: { width, height: rows, channels: 3 }, limitInputPixels: false })
      .png()
      .toBuffer();
    await writeWhole(this.path, [png], signal);
  }

  #cellEntries(): LegendEntry[] {
    return this.#inks
      .map((color, i) => ({ color, label: `${this.options.classes[i] ?? 'no class'} (${grouped(this.#counts[i] as number)})` }))
      .slice(0, this.#counts.at(-1) === 0 ? -1 : undefined);
  }

  /** Regions with their areas, as the mask's level shows them. */
  #areas({ width, height, data }: { width: number; height: number; data: Uint8Array }, colors: readonly Rgb[]): LegendEntry[] {
    const { mpp } = this.slide;
    const pixel = mpp && (mpp[0] * mpp[1] * this.slide.width * this.slide.height) / (width * height);
    return (this.options.regions ?? []).map((name, i) => {
      const count = data.reduce((sum, value) => sum + Number(value === i + 1), 0);
      return { color: colors[i] as Rgb, label: `region: ${name}${pixel ? ` (${areaText(count * pixel)})` : ''}`, area: true };
    });
  }
}

/**
 * Begins a picture of a slide: its tissue through the coarsest level that is fine enough, regions tinted with a line around, every cell as
 * a dot in the colour of its class, and below a legend with counts, areas and a scale bar. Cells are added as they come; memory goes with
 * the picture, not with the slide or the cells.
 *
 * @param path where to; must end in `.png`
 * @param slide 8-bit, grey or RGB; stays open
 * @throws UamError `UAM_ARGUMENT` for options that cannot be
 * @example
 * const { rm } = await import('node:fs/promises');
 * const tiff = await openPyramidTiff('slide.tif', { width: 80, height: 60, channels: 3, mpp: 0.5 });
 * await tiff.writeRows(new Uint8Array(80 * 60 * 3).fill(230));
 * await tiff.close();
 * const slide = await openImage('slide.tif');
 * const picture = openSlideOverlay('slide.png', slide, { classes: ['tumour', 'other'] });
 * picture.addCells([10, 20, 30, 40], [0, 1]);
 * await picture.close();
 * await slide.close();
 * for (const name of ['slide.tif', 'slide.png']) await rm(name);
 */
export function openSlideOverlay(path: string, slide: OpenedImage, options: SlideOverlayOptions): SlideOverlay {
  const { classes, side = 2400, dot = 3 } = options;
  const refuse = (text: string) => new UamError('UAM_ARGUMENT', `openSlideOverlay: ${text}`);
  if (!/\.png$/i.test(path)) throw refuse(`the file must end in .png, received ${path}`);
  if (new Set(classes).size !== classes.length || classes.length > 250) {
    throw refuse(`classes must be at most 250 different names, received ${classes.length}`);
  }
  if (!(side >= 64 && side <= 10000)) throw refuse(`side must be from 64 to 10000 pixels, received ${side}`);
  if (!(dot >= 0.5 && dot <= 50)) throw refuse(`dot must be from 0.5 to 50 pixels, received ${dot}`);
  return new Drawing(path, slide, options);
}
