import { UamError } from '../errors.js';
import type { ImageWarning } from '../image/image.js';
import { JsonCutter, type JsonItem, jsonItems } from './json_items.js';
import { type CellPolygons, isPosition, Oddities } from './polygon_file.js';
import { PolygonBuilder, type Polygons } from './polygons.js';

export interface GeoJsonOptions {
  /** For QuPath's cells, which have two outlines: `'nucleus'` (default) takes that of the nucleus where there is one, `'cell'` the outer one. */
  compartment?: 'nucleus' | 'cell' | undefined;
  /** Makes each part of a MultiPolygon a cell of its own: for tools that write all cells of a class as one MultiPolygon. Default false. */
  splitParts?: boolean | undefined;
}

type Members = Record<string, unknown>;
type Point = [number, number];

const isMembers = (value: unknown): value is Members => typeof value === 'object' && value !== null && !Array.isArray(value);
const same = (a: Point, b: Point) => a[0] === b[0] && a[1] === b[1];

function signedArea(ring: readonly Point[]): number {
  let sum = 0;
  for (let i = 0, j = ring.length - 1; i < ring.length; j = i++) {
    const [[ax, ay], [bx, by]] = [ring[j] as Point, ring[i] as Point];
    sum += ax * by - bx * ay;
  }
  return sum / 2;
}

/** "Tumor", "Tumor: Positive", or nothing. QuPath writes an object, other tools a text; derived classes are lists of names. */
function className(classification: unknown): string | undefined {
  if (typeof classification === 'string') return classification || undefined;
  if (Array.isArray(classification)) return classification.filter((name) => typeof name === 'string').join(': ') || undefined;
  if (!isMembers(classification)) return undefined;
  return className(classification.names) ?? className(classification.name);
}

const text = (value: unknown): string | undefined =>
  typeof value === 'string' ? value : typeof value === 'number' ? String(value) : undefined;

interface Found {
  name: string | undefined;
  className: string | undefined;
  objectType: string | undefined;
}

const isCellType = (type: string | undefined) => type === 'cell' || type === 'detection';
const isRegionType = (type: string | undefined) => type === 'annotation' || type === 'tile';

/** Gathers the polygons of features one by one. */
class FeatureReader {
  private builder = new PolygonBuilder();
  private found: Found[] = [];
  private readonly odd = new Oddities();

  constructor(
    private readonly path: string,
    private readonly options: GeoJsonOptions,
  ) {}

  add(feature: unknown, number: number): void {
    const where = `feature ${number}`;
    if (!isMembers(feature) || !('geometry' in feature)) {
      throw new UamError('UAM_FORMAT', `${this.path}: ${where} must be an object with a "geometry"; it is no GeoJSON feature`);
    }
    const { nucleusGeometry } = feature;
    const geometry = this.options.compartment !== 'cell' && isMembers(nucleusGeometry) ? nucleusGeometry : feature.geometry;
    const properties = isMembers(feature.properties) ? feature.properties : {};
    const objectType = text(properties.objectType ?? properties.object_type);
    if (objectType === 'root' || objectType === 'tmaCore') {
      this.odd.note('not_a_cell', where, `objects of the type ${objectType} are not cells and were passed over`);
      return;
    }
    const parts = this.parts(geometry, where);
    if (!parts) return;
    const about = { name: text(feature.id), className: className(properties.classification), objectType };
    for (const cell of this.options.splitParts ? parts.map((part) => [part]) : [parts]) {
      for (const rings of cell) this.addPart(rings, where);
      this.builder.endPolygon();
      this.found.push(about);
    }
  }

  /** The parts of a geometry, unchecked below; nothing where it is no area. */
  private parts(geometry: unknown, where: string): unknown[] | undefined {
    if (geometry === null) {
      this.odd.note('no_geometry', where, 'features without a geometry were passed over');
      return undefined;
    }
    const { type, coordinates } = isMembers(geometry) ? geometry : {};
    if (typeof type !== 'string') throw new UamError('UAM_FORMAT', `${this.path}: ${where} has a geometry without a type`);
    if (type !== 'Polygon' && type !== 'MultiPolygon') {
      this.odd.note('not_a_polygon', where, `geometries that are no areas, such as ${type}, were passed over`);
      return undefined;
    }
    if (!Array.isArray(coordinates)) throw new UamError('UAM_FORMAT', `${this.path}: ${where}: the ${type} has no list of coordinates`);
    return type === 'Polygon' ? [coordinates] : coordinates;
  }

  private addPart(rings: unknown, where: string): void {
    if (!Array.isArray(rings)) throw new UamError('UAM_FORMAT', `${this.path}: ${where}: a part of the geometry is no list of rings`);
    for (const [i, given] of rings.entries()) {
      const ring = this.ring(given, `${where}, ring ${i + 1}`);
      if (ring.length < 3) {
        this.odd.note('short_ring', where, 'rings of fewer than three points enclose nothing and were left out');
        if (i === 0) return; // its holes would turn into areas
        continue;
      }
      // Outer rings clockwise on the screen, holes counterclockwise, whatever the file does.
      const turn = signedArea(ring) > 0 !== (i === 0);
      for (const [x, y] of turn ? ring.reverse() : ring) this.builder.point(x, y);
      this.builder.endRing();
    }
  }

  private ring(given: unknown, where: string): Point[] {
    if (!Array.isArray(given)) throw new UamError('UAM_FORMAT', `${this.path}: ${where} is no list of positions`);
    const wrong = given.findIndex((position) => !isPosition(position));
    if (wrong >= 0) {
      throw new UamError(
        'UAM_FORMAT',
        `${this.path}: ${where}, position ${wrong + 1} must be two finite numbers, received ${brief(given[wrong])}`,
      );
    }
    const ring = given as Point[];
    if (ring.length < 2) return ring;
    if (same(ring[0] as Point, ring.at(-1) as Point)) return ring.slice(0, -1);
    this.odd.note('open_ring', where, 'rings whose last point is not the first were closed');
    return ring.slice();
  }

  /** How many polygons wait. */
  get waiting(): number {
    return this.found.length;
  }

  /** What was gathered since the last time, regions included; the oddities stay. */
  take(): { polygons: Polygons; objectTypes: (string | undefined)[] } {
    const taken = { polygons: this.builder.finish(), objectTypes: this.found.map(({ objectType }) => objectType) };
    this.builder = new PolygonBuilder();
    this.found = [];
    return taken;
  }

  warnings(): ImageWarning[] {
    return this.odd.warnings(this.path);
  }

  finish(): CellPolygons {
    const all = this.builder.finish();
    const kept = this.kept();
    const polygons = kept.length === this.found.length ? all : selected(all, kept);
    const found = kept.map((i) => this.found[i] as Found);
    return {
      format: 'geojson',
      polygons,
      ids: Uint32Array.from(kept, (_, i) => i + 1),
      names: found.map(({ name }) => name),
      classes: found.map(({ className }) => className),
      objectTypes: found.map(({ objectType }) => objectType),
      magnification: undefined,
      warnings: this.odd.warnings(this.path),
    };
  }

  // A QuPath project holds the regions in which cells were looked for beside the cells.
  private kept(): number[] {
    const all = this.found.map((_, i) => i);
    if (!this.found.some(({ objectType }) => isCellType(objectType))) return all;
    return all.filter((i) => {
      const { objectType } = this.found[i] as Found;
      if (!isRegionType(objectType)) return true;
      this.odd.note('not_a_cell', `object ${i + 1}`, `the file holds cells: its ${objectType}s are taken for regions and were passed over`);
      return false;
    });
  }
}

function brief(value: unknown): string {
  const written = JSON.stringify(value) ?? 'nothing';
  return written.length > 60 ? `${written.slice(0, 57)}...` : written;
}

/** Some of the polygons. */
function selected({ points, ringOffsets, polygonOffsets }: Polygons, indices: readonly number[]): Polygons {
  const builder = new PolygonBuilder();
  for (const i of indices) {
    for (let r = polygonOffsets[i] as number; r < (polygonOffsets[i + 1] as number); r++) {
      for (let at = ringOffsets[r] as number; at < (ringOffsets[r + 1] as number); at++) {
        builder.point(points[at * 2] as number, points[at * 2 + 1] as number);
      }
      builder.endRing();
    }
    builder.endPolygon();
  }
  return builder.finish();
}

/**
 * Reads the cells of a GeoJSON file: a FeatureCollection, a list of features or a single feature, as QuPath and many others write
 * them; `.gz` is unpacked. The file may be larger than memory has room for as text: it is read feature by feature.
 *
 * Polygon and MultiPolygon with holes become cells, numbered 1, 2, ... in file order; other geometries are passed over with a
 * warning, and so are regions (annotations, tiles) where the file also holds cells or detections. Coordinates are pixels of the
 * full image, from the upper left corner of its first pixel.
 *
 * @param path the file
 * @returns polygons, ids, names (the features' ids), classes (the names of their classifications), and warnings
 * @throws UamError `UAM_INPUT` where the file cannot be read, `UAM_FORMAT` where it is broken, with the byte or the number of the feature
 * @example
 * const { writeFile, rm } = await import('node:fs/promises');
 * const geometry = { type: 'Polygon', coordinates: [[[0, 0], [3, 0], [3, 2], [0, 2], [0, 0]]] };
 * await writeFile('cells.geojson', JSON.stringify([{ type: 'Feature', geometry, properties: { classification: { name: 'Tumor' } } }]));
 * const { polygons, classes } = await readGeoJson('cells.geojson');
 * console.log(polygons.count, classes[0]); // 1 Tumor
 * await rm('cells.geojson');
 */
export async function readGeoJson(path: string, options: GeoJsonOptions = {}): Promise<CellPolygons> {
  const { compartment = 'nucleus' } = options;
  if (compartment !== 'nucleus' && compartment !== 'cell') {
    throw new UamError('UAM_ARGUMENT', `readGeoJson: compartment must be 'nucleus' or 'cell', received '${String(compartment)}'`);
  }
  const reader = new FeatureReader(path, options);
  const cutter = new JsonCutter(path, ['features']);
  const members: Members = {};
  let hasFeatures = false;
  for await (const item of jsonItems(path, cutter)) {
    if (item.container === 'features') hasFeatures = true;
    if (isFeature(item, cutter)) reader.add(item.value, item.index + 1);
    else members[item.key as string] = item.value;
  }
  if (cutter.outermost === 'object') finishObject(path, reader, members, hasFeatures || cutter.opened.has('features'));
  return reader.finish();
}

/** Cells of a file, part by part. */
export interface GeoJsonPart {
  polygons: Polygons;
  /** Their numbers in the whole file: 1, 2, ..., as `readGeoJson` gives them. */
  ids: Uint32Array;
}

/**
 * As `readGeoJson`, for files of any number of cells: they come part by part, and memory has room for one part. The file is read twice,
 * as only its end tells whether its annotations are cells or regions.
 *
 * @param most polygons of a part
 * @param warn is given the warnings at the end
 * @throws UamError as `readGeoJson`
 */
export async function* readGeoJsonParts(
  path: string,
  options: GeoJsonOptions = {},
  most = 4096,
  warn: (warnings: ImageWarning[]) => void = () => {},
): AsyncGenerator<GeoJsonPart> {
  let cells = 0;
  for await (const { objectTypes } of partsOfFile(path, options, most, () => {})) cells += objectTypes.filter(isCellType).length;
  let last = 0;
  for await (const { polygons, objectTypes } of partsOfFile(path, options, most, warn)) {
    const kept = objectTypes.flatMap((type, i) => (cells > 0 && isRegionType(type) ? [] : [i]));
    const ids = Uint32Array.from(kept, (_, i) => last + i + 1);
    last += kept.length;
    yield { polygons: kept.length === polygons.count ? polygons : selected(polygons, kept), ids };
  }
}

async function* partsOfFile(path: string, options: GeoJsonOptions, most: number, warn: (warnings: ImageWarning[]) => void) {
  const reader = new FeatureReader(path, options);
  const cutter = new JsonCutter(path, ['features']);
  const members: Members = {};
  let hasFeatures = false;
  for await (const item of jsonItems(path, cutter)) {
    if (item.container === 'features') hasFeatures = true;
    if (isFeature(item, cutter)) reader.add(item.value, item.index + 1);
    else members[item.key as string] = item.value;
    if (reader.waiting >= most) yield reader.take();
  }
  if (cutter.outermost === 'object') finishObject(path, reader, members, hasFeatures || cutter.opened.has('features'));
  yield reader.take();
  warn(reader.warnings());
}

const isFeature = (item: JsonItem, cutter: JsonCutter) => item.container === 'features' || cutter.outermost === 'list';

/** What an outermost object is: a collection, whose features were read already, a feature, or a geometry. */
function finishObject(path: string, reader: FeatureReader, members: Members, hasFeatures: boolean): void {
  if (hasFeatures) return;
  if ('geometry' in members) reader.add(members, 1);
  else if (typeof members.type === 'string' && 'coordinates' in members) reader.add({ geometry: members }, 1);
  else throw new UamError('UAM_FORMAT', `${path}: neither a list of GeoJSON features, nor an object with "features" or a "geometry"`);
}
