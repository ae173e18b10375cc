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

function check(polygons: Polygons, { ids, classes, measurements = {} }: WriteGeoJsonOptions): void {
  for (const [name, list] of Object.entries({ ids, classes, ...measurements })) {
    if (list !== undefined && list.length !== polygons.count) {
      throw new UamError('UAM_SHAPE', `writeGeoJson: ${name} must have one entry per polygon, ${polygons.count}, received ${list.length}`);
    }
  }
}

/** The text of a FeatureCollection, a feature at a time. */
function* text(polygons: Polygons, options: WriteGeoJsonOptions, counts: { written: number }): Generator<string> {
  const { objectType = 'detection', ids, classes, colors = {}, measurements = {} } = options;
  const names = [...new Set(classes?.filter((name) => name !== undefined))].sort();
  const colorOf = new Map(names.map((name, i) => [name, Object.hasOwn(colors, name) ? colors[name] : PALETTE[i % PALETTE.length]]));
  const values = Object.entries(measurements);
  yield '{"type":"FeatureCollection","features":[';
  for (let i = 0; i < polygons.count; i++) {
    const geometry = geometryOf(polygons, i);
    if (!geometry) continue;
    const name = classes?.[i];
    const id = ids?.[i];
    const measured = values.filter(([, list]) => Number.isFinite(list[i])).map(([key, list]) => [key, list[i] as number]);
    const feature = {
      type: 'Feature',
      ...(typeof id === 'string' ? { id } : {}),
      geometry,
      properties: {
        objectType,
        ...(typeof id === 'number' ? { name: String(id) } : {}),
        ...(name === undefined ? {} : { classification: { name, color: colorOf.get(name) } }),
        ...(values.length > 0 ? { measurements: Object.fromEntries(measured) } : {}),
      },
    };
    yield `${counts.written++ > 0 ? ',' : ''}\n${JSON.stringify(feature)}`;
  }
  yield '\n]}\n';
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
  check(polygons, options);
  const file = await openFile(path);
  const out = path.endsWith('.gz') ? gzipped(file) : file;
  const counts = { written: 0 };
  try {
    let waiting = '';
    for (const piece of text(polygons, options, counts)) {
      waiting += piece;
      if (waiting.length < CHUNK) continue;
      refuseAborted(path, options.signal);
      await out.write(Buffer.from(waiting));
      waiting = '';
    }
    refuseAborted(path, options.signal);
    await out.write(Buffer.from(waiting));
  } catch (error) {
    await out.abort();
    throw error;
  }
  await out.close();
  return counts.written;
}

function refuseAborted(path: string, signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new UamError('UAM_ABORTED', `writing ${path} was ended by its signal`, { cause: signal.reason });
}
