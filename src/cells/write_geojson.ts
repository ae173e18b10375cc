import { UamError } from '../errors.js';
import { gzipped } from '../files/gzipped.js';
import { openFile } from '../files/output_file.js';
import { PALETTE, type Rgb } from './palette.js';
import { type Polygons, ringArea } from './polygons.js';

export interface WriteGeoJsonOptions {
  /** What QuPath calls the objects; default `'detection'`. */
  objectType?: 'detection' | 'cell' | 'annotation' | undefined;
  /** Per polygon: a text becomes the feature's `id`, a number the object's name. */
  ids?: Uint32Array | readonly (string | undefined)[] | undefined;
  /** The class of each polygon. */
  classes?: readonly (string | undefined)[] | undefined;
  /** The colour of each class, 0 to 255; others get one from a fixed list, in the order of their names. */
  colors?: Readonly<Record<string, Rgb>> | undefined;
  /** Values per polygon, by name. NaN and infinities are left out: GeoJSON has no word for them. */
  measurements?: Readonly<Record<string, ArrayLike<number>>> | undefined;
  /** Ends the writing; the promise then rejects with `UAM_ABORTED`, and the file is as it was. */
  signal?: AbortSignal | undefined;
}

/** Characters gathered before they are written: some milliseconds' work. */
const CHUNK = 1 << 16;

/** At most two decimals, as QuPath writes them, and none where there are none. */
const rounded = (value: number): number => Math.round(value * 100) / 100;

/** The rings of polygon `i` in parts: each an outer ring and its holes. */
function partsOf(polygons: Polygons, i: number): number[][][][] {
  const parts: number[][][][] = [];
  for (let r = polygons.polygonOffsets[i] as number; r < (polygons.polygonOffsets[i + 1] as number); r++) {
    const ring: number[][] = [];
    for (let at = polygons.ringOffsets[r] as number; at < (polygons.ringOffsets[r + 1] as number); at++) {
      ring.push([rounded(polygons.points[at * 2] as number), rounded(polygons.points[at * 2 + 1] as number)]);
    }
    if (ring.length < 3) continue;
    ring.push(ring[0] as number[]);
    const isHole = ringArea(polygons, r) < 0;
    if (isHole && parts.length > 0) parts.at(-1)?.push(ring);
    else parts.push([ring]);
  }
  return parts;
}

function geometryOf(polygons: Polygons, i: number): object | undefined {
  const parts = partsOf(polygons, i);
  if (parts.length === 0) return undefined;
  return parts.length === 1 ? { type: 'Polygon', coordinates: parts[0] } : { type: 'MultiPolygon', coordinates: parts };
}

function check(
  polygons: Polygons,
  { ids, classes, measurements = {} }: Pick<WriteGeoJsonOptions, 'ids' | 'classes' | 'measurements'>,
): void {
  for (const [name, list] of Object.entries({ ids, classes, ...measurements })) {
    if (list !== undefined && list.length !== polygons.count) {
      throw new UamError('UAM_SHAPE', `writeGeoJson: ${name} must have one entry per polygon, ${polygons.count}, received ${list.length}`);
    }
  }
}

/** Features as they are written one after the other: what does not change from polygon to polygon. */
interface FeatureForm {
  objectType: string;
  colorOf: (name: string) => Rgb | undefined;
}

type FeatureLists = Pick<WriteGeoJsonOptions, 'ids' | 'classes' | 'measurements'>;

/** The text of features, a feature at a time; nothing for a polygon without an area. */
function* features(polygons: Polygons, { ids, classes, measurements = {} }: FeatureLists, form: FeatureForm): Generator<string> {
  const values = Object.entries(measurements);
  for (let i = 0; i < polygons.count; i++) {
    const geometry = geometryOf(polygons, i);
    if (!geometry) continue;
    const name = classes?.[i];
    const id = ids?.[i];
    const measured = values.filter(([, list]) => Number.isFinite(list[i])).map(([key, list]) => [key, list[i] as number]);
    yield JSON.stringify({
      type: 'Feature',
      ...(typeof id === 'string' ? { id } : {}),
      geometry,
      properties: {
        objectType: form.objectType,
        ...(typeof id === 'number' ? { name: String(id) } : {}),
        ...(name === undefined ? {} : { classification: { name, color: form.colorOf(name) } }),
        ...(values.length > 0 ? { measurements: Object.fromEntries(measured) } : {}),
      },
    });
  }
}

/** Takes polygons a part at a time; see `openGeoJson`. */
export interface GeoJsonWriter {
  /** Features written so far. */
  readonly written: number;
  /** @param lists an entry per polygon of this part */
  write(polygons: Polygons, lists?: FeatureLists): Promise<void>;
  /** Ends the collection; then the file has its name. */
  close(): Promise<void>;
  /** Leaves nothing behind. */
  abort(): Promise<void>;
}

/**
 * As `writeGeoJson`, for polygons that come part by part: memory has room for one part only.
 *
 * @param options `colors` must have every class that comes
 * @throws UamError `UAM_IO`; `write` throws as `writeGeoJson`
 */
export async function openGeoJson(
  path: string,
  options: Pick<WriteGeoJsonOptions, 'objectType' | 'colors' | 'signal'> = {},
): Promise<GeoJsonWriter> {
  const { objectType = 'detection', colors = {}, signal } = options;
  const form = { objectType, colorOf: (name: string) => (Object.hasOwn(colors, name) ? colors[name] : undefined) };
  const file = await openFile(path);
  const out = path.endsWith('.gz') ? gzipped(file) : file;
  let waiting = '{"type":"FeatureCollection","features":[';
  let written = 0;
  const flush = async () => {
    refuseAborted(path, signal);
    await out.write(Buffer.from(waiting));
    waiting = '';
  };
  return {
    get written() {
      return written;
    },
    async write(polygons, lists = {}) {
      check(polygons, lists);
      for (const text of features(polygons, lists, form)) {
        waiting += `${written++ > 0 ? ',' : ''}\n${text}`;
        if (waiting.length >= CHUNK) await flush();
      }
    },
    async close() {
      waiting += '\n]}\n';
      await flush();
      await out.close();
    },
    abort: () => out.abort(),
  };
}

/** Colours for classes: those that are given, and for the others those of a fixed list, in the order of their names. */
function allColors(classes: WriteGeoJsonOptions['classes'], colors: Readonly<Record<string, Rgb>> = {}): Record<string, Rgb> {
  const names = [...new Set(classes?.filter((name) => name !== undefined))].sort();
  const entries = names.map((name, i) => [name, Object.hasOwn(colors, name) ? colors[name] : PALETTE[i % PALETTE.length]] as const);
  return Object.fromEntries(entries) as Record<string, Rgb>;
}

/**
 * Writes polygons as GeoJSON that QuPath opens by dragging it in: a FeatureCollection, one feature per line, rings closed, two decimals.
 * The file appears under its name only when it is complete; a name that ends in `.gz` is packed. It is written as it goes: memory does
 * not grow with the number of cells.
 *
 * @param path where to; an existing file is replaced
 * @returns how many features were written: polygons without an area are left out
 * @throws UamError `UAM_SHAPE` for lists of another length than the polygons; `UAM_IO` where the file cannot be written; `UAM_ABORTED`
 * @example
 * const { rm } = await import('node:fs/promises');
 * const polygons = polygonsFrom([[[[0, 0], [3, 0], [3, 2], [0, 2]]]]);
 * await writeGeoJson('cells.geojson', polygons, { classes: ['Tumor'], measurements: { 'Area px^2': [6] } });
 * console.log((await readGeoJson('cells.geojson')).classes); // Tumor
 * await rm('cells.geojson');
 */
export async function writeGeoJson(path: string, polygons: Polygons, options: WriteGeoJsonOptions = {}): Promise<number> {
  const { objectType, signal, colors, ...lists } = options;
  check(polygons, lists);
  const writer = await openGeoJson(path, { objectType, signal, colors: allColors(lists.classes, colors) });
  try {
    await writer.write(polygons, lists);
    await writer.close();
  } catch (error) {
    await writer.abort();
    throw error;
  }
  return writer.written;
}

function refuseAborted(path: string, signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new UamError('UAM_ABORTED', `writing ${path} was ended by its signal`, { cause: signal.reason });
}
