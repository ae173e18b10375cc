import { argumentError } from './failure.js';
import type { Warnings } from './warnings.js';

/** Micrometres per pixel along x and y. */
export type Mpp = readonly [x: number, y: number];

/**
 * Micrometres per pixel that a microscope can have made. Files from elsewhere say 72 or 300 dpi (353 or 85 um), which speaks of
 * paper, not of tissue.
 */
const PLAUSIBLE = { from: 0.05, to: 10 } as const;

/** The caller's pixel size: one number for both axes, or x and y. It is believed whatever it is. */
export function givenMpp(mpp: number | readonly [number, number] | undefined): Mpp | undefined {
  if (mpp === undefined) return undefined;
  const pair = typeof mpp === 'number' ? [mpp, mpp] : Array.from(mpp);
  const [x, y] = pair;
  if (pair.length !== 2 || !(x! > 0 && y! > 0 && Number.isFinite(x) && Number.isFinite(y))) {
    throw argumentError(`mpp must be micrometres per pixel, one positive number or [x, y], received ${JSON.stringify(mpp)}`);
  }
  return [x!, y!];
}

/** The file's pixel size where it is one that a microscope can have made; else nothing, and a warning. */
export function plausibleMpp(x: number, y: number, from: string, warnings: Warnings): Mpp | undefined {
  const fits = (value: number) => value >= PLAUSIBLE.from && value <= PLAUSIBLE.to;
  if (fits(x) && fits(y)) return [x, y];
  if (x > 0 && y > 0 && Number.isFinite(x) && Number.isFinite(y)) {
    warnings.add(
      'mpp_ignored',
      `the ${from} would mean ${Number(x.toPrecision(4))} x ${Number(y.toPrecision(4))} um per pixel, which no microscope slide has ` +
        `(${PLAUSIBLE.from} to ${PLAUSIBLE.to} um are believed); it is ignored, give mpp if you know it`,
    );
  }
  return undefined;
}

const micrometres: Record<string, number> = {
  µm: 1,
  μm: 1,
  um: 1,
  micron: 1,
  microns: 1,
  micrometer: 1,
  nm: 1e-3,
  pm: 1e-6,
  Å: 1e-4,
  mm: 1e3,
  cm: 1e4,
  dm: 1e5,
  m: 1e6,
  in: 25400,
  inch: 25400,
};

const attribute = (tag: string, name: string): string | undefined => new RegExp(`\\s${name}\\s*=\\s*["']([^"']*)["']`).exec(tag)?.[1];

const decodeEntities = (text: string): string =>
  text.replace(/&#(x?)([0-9a-fA-F]{1,6});/g, (_, hex: string, code: string) => {
    const point = Number.parseInt(code, hex ? 16 : 10);
    return point <= 0x10ffff ? String.fromCodePoint(point) : '';
  });

/** What of an OME-XML description matters here: the first `Pixels` element. */
export interface OmePixels {
  mpp?: [number, number];
  sizeC: number;
  sizeZ: number;
  sizeT: number;
}

/** Reads the first `Pixels` element of OME-XML, or nothing where the text is not OME-XML. */
export function omePixels(description: string): OmePixels | undefined {
  if (!description.includes('<OME') && !description.includes(':OME')) return undefined;
  const tag = /<(?:\w+:)?Pixels\s[^>]{0,5000}>/.exec(description)?.[0];
  if (!tag) return undefined;
  const size = (axis: 'X' | 'Y'): number => {
    const unit = decodeEntities(attribute(tag, `PhysicalSize${axis}Unit`) ?? 'µm').trim();
    return Number(attribute(tag, `PhysicalSize${axis}`) ?? Number.NaN) * (micrometres[unit] ?? Number.NaN);
  };
  const count = (axis: string): number => Number(attribute(tag, `Size${axis}`) ?? 1);
  const x = size('X');
  const y = size('Y');
  const sizes = { sizeC: count('C'), sizeZ: count('Z'), sizeT: count('T') };
  return Number.isNaN(x) || Number.isNaN(y) ? sizes : { mpp: [x, y], ...sizes };
}

/** Aperio's `MPP = 0.4990`. */
export function aperioMpp(description: string): number | undefined {
  if (!description.startsWith('Aperio')) return undefined;
  const found = /(?:^|\|)\s*MPP\s*=\s*([0-9.eE+-]+)/.exec(description)?.[1];
  return found === undefined ? undefined : Number(found);
}

/** The unit of ImageJ's `unit=micron`, in micrometres: its resolution tags count pixels per that unit. */
export function imageJUnit(description: string): number | undefined {
  if (!description.startsWith('ImageJ=')) return undefined;
  const unit = /^unit=(.*)$/m
    .exec(description)?.[1]
    ?.trim()
    .replace(/\\u00B5/i, 'µ');
  return unit === undefined ? undefined : micrometres[unit];
}
