// From samples as a file stores them to the one or three channels of an image: alpha, palettes, inverted and short samples.
import { formatError } from './failure.js';
import type { RasterImage } from './image.js';
import type { NumericArray } from './numeric_array.js';
import type { Warnings } from './warnings.js';

export interface StoredImage {
  name: string;
  width: number;
  height: number;
  /** NumericArray per pixel: the colour's and `extra` more. */
  samples: number;
  /** Bits of a sample, which scale samples shorter than a byte. */
  bits: number;
  data: NumericArray;
  colour: 'grey' | 'rgb' | 'palette';
  /** The sample after the colour: its alpha (`premultiplied`: the colour was multiplied by it), or something unknown. */
  extra?: 'alpha' | 'premultiplied' | 'unknown' | undefined;
  /** Grey whose 0 is white. */
  inverted?: boolean;
  /** RGB triples of 8 bits. */
  palette?: Uint8Array;
  /** The alpha of each palette entry; entries beyond it are opaque. */
  paletteAlpha?: Uint8Array;
  /** NumericArray of this value are transparent: a grey, or red, green and blue. */
  transparent?: readonly number[];
}

type Pixels = RasterImage['data'];

/** The pixels of an image, with one channel or three. */
export function toPixels(image: StoredImage, warnings: Warnings): { channels: 1 | 3; data: Pixels } {
  if (image.colour === 'palette') return expandPalette(image, warnings);
  const channels = image.colour === 'rgb' ? 3 : 1;
  const wide = scaled(image, toNumbers(image.data));
  const { extra } = image;
  let data = wide;
  if (extra === 'unknown') {
    warnings.add('extra_channel_dropped', `${image.name}: the channel after the colour is not said to be alpha and is left out`);
    data = dropExtra(wide, channels, image.samples);
  } else if (extra) {
    data = overWhite(image, wide, channels, extra === 'premultiplied', warnings);
  } else if (image.transparent?.length === channels) {
    clearTransparent(image, wide, channels, image.transparent, warnings);
  }
  if (image.inverted) invert(data, image);
  return { channels, data };
}

/** Types that pixels have: integers of other widths become floats that hold all of their values. */
function toNumbers(data: NumericArray): Pixels {
  if (data instanceof Uint8Array || data instanceof Uint16Array || data instanceof Float32Array || data instanceof Float64Array)
    return data;
  if (data instanceof Int8Array || data instanceof Int16Array) return Float32Array.from(data);
  return Float64Array.from(data as ArrayLike<number | bigint>, Number);
}

/** NumericArray of 1, 2 and 4 bits stretched to 0 to 255. */
function scaled({ bits }: StoredImage, data: Pixels): Pixels {
  if (bits >= 8) return data;
  const factor = 255 / ((1 << bits) - 1);
  return data.map((value) => value * factor);
}

/** What white is: the highest value of an integer type, 1 for floats. */
const whiteOf = (data: Pixels): number => (data instanceof Uint8Array ? 255 : data instanceof Uint16Array ? 65535 : 1);

const blank = (like: Pixels, length: number): Pixels => new (like.constructor as new (length: number) => Pixels)(length);

function dropExtra(data: Pixels, channels: number, samples: number): Pixels {
  const pixels = data.length / samples;
  const out = blank(data, pixels * channels);
  for (let p = 0; p < pixels; p++) for (let c = 0; c < channels; c++) out[p * channels + c] = data[p * samples + c]!;
  return out;
}

/** The colour as it shows on a white sheet; opaque pixels stay exactly as they are. */
function overWhite(image: StoredImage, data: Pixels, channels: number, premultiplied: boolean, warnings: Warnings): Pixels {
  const { samples } = image;
  const white = whiteOf(data);
  const whole = Number.isInteger(white) && white > 1;
  const out = dropExtra(data, channels, samples);
  const pixels = data.length / samples;
  let seen = 0;
  for (let p = 0; p < pixels; p++) {
    const alpha = data[p * samples + channels]!;
    if (alpha >= white) continue;
    seen++;
    for (let c = 0; c < channels; c++) {
      const colour = out[p * channels + c]!;
      const value = (premultiplied ? colour : (colour * alpha) / white) + (white - alpha);
      out[p * channels + c] = Math.min(white, whole ? Math.round(value) : value);
    }
  }
  if (seen) warnings.add('alpha_over_white', `${image.name}: ${seen} pixels are transparent; they were put over white`);
  return out;
}

/** PNG may call one colour transparent. */
function clearTransparent(image: StoredImage, data: Pixels, channels: number, colour: readonly number[], warnings: Warnings): void {
  const raw = image.data;
  const white = whiteOf(data);
  let seen = 0;
  for (let at = 0; at < raw.length; at += channels) {
    if (colour.some((value, c) => raw[at + c] !== value)) continue;
    seen++;
    data.fill(white, at, at + channels);
  }
  if (seen) warnings.add('alpha_over_white', `${image.name}: ${seen} pixels are transparent; they were put over white`);
}

function invert(data: Pixels, image: StoredImage): void {
  if (!(data instanceof Uint8Array || data instanceof Uint16Array)) {
    throw formatError(image.name, 'grey whose 0 is white is supported for 8 and 16 bits only');
  }
  const white = whiteOf(data);
  for (let i = 0; i < data.length; i++) data[i] = white - data[i]!;
}

function expandPalette(image: StoredImage, warnings: Warnings): { channels: 3; data: Uint8Array } {
  const palette = image.palette ?? new Uint8Array();
  const indices = image.data as Uint8Array | Uint16Array;
  const out = new Uint8Array(indices.length * 3);
  let seen = 0;
  for (let p = 0; p < indices.length; p++) {
    const index = indices[p]!;
    if (index * 3 + 2 >= palette.length)
      throw formatError(image.name, `a pixel names colour ${index} of a palette of ${palette.length / 3}: the file is damaged`);
    const alpha = image.paletteAlpha?.[index] ?? 255;
    if (alpha < 255) seen++;
    for (let c = 0; c < 3; c++) out[p * 3 + c] = Math.round((palette[index * 3 + c]! * alpha) / 255) + 255 - alpha;
  }
  if (seen) warnings.add('alpha_over_white', `${image.name}: ${seen} pixels are transparent; they were put over white`);
  return { channels: 3, data: out };
}

/** The part of an image in memory that a region names, as a copy. */
export function crop(
  image: { width: number; channels: number; data: Pixels },
  region: { x: number; y: number; width: number; height: number },
): Pixels {
  const row = region.width * image.channels;
  const out = blank(image.data, row * region.height);
  for (let y = 0; y < region.height; y++) {
    const from = ((region.y + y) * image.width + region.x) * image.channels;
    out.set(image.data.subarray(from, from + row), y * row);
  }
  return out;
}
