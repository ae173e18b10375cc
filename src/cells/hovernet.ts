import { UamError } from '../errors.js';
import { cellContours } from './cell_contours.js';
import { findCells } from './find_cells.js';
import { JsonCutter, jsonItems } from './json_items.js';
import { type CellPolygons, isPosition, Oddities } from './polygon_file.js';
import { PolygonBuilder, polygonsFrom } from './polygons.js';
import { rasterizePolygons } from './rasterize.js';

type Point = [number, number];
type Members = Record<string, unknown>;

const isMembers = (value: unknown): value is Members => typeof value === 'object' && value !== null && !Array.isArray(value);
const largestSide = 1 << 12; // pixels; a nucleus has tens
const mostPixels = 1 << 22; // of the nuclei that are outlined in one go

interface Nucleus {
  contour: Point[];
  x0: number;
  y0: number;
  width: number;
  height: number;
}

/** The pixels of the straight way from `a` to `b`, both included. */
function drawLine([ax, ay]: Point, [bx, by]: Point, set: (x: number, y: number) => void): void {
  const steps = Math.max(Math.abs(bx - ax), Math.abs(by - ay));
  for (let i = 0; i <= steps; i++) {
    const t = steps === 0 ? 0 : i / steps;
    set(Math.round(ax + t * (bx - ax)), Math.round(ay + t * (by - ay)));
  }
}

/**
 * Turns contours as OpenCV's findContours gives them into outlines along pixel edges. Such a contour runs through the centres of the
 * outermost pixels, which belong to the nucleus: as an area in itself it would lose half a pixel all round, and nuclei one pixel wide
 * altogether. So its pixels are drawn, inside and contour, and their outline is taken: side by side in one picture, for speed.
 */
function appendOutlines(nuclei: readonly Nucleus[], builder: PolygonBuilder): void {
  const width = nuclei.reduce((sum, nucleus) => sum + nucleus.width, 0);
  const height = Math.max(...nuclei.map((nucleus) => nucleus.height));
  const shifts: number[] = [];
  let left = 0;
  const inPicture = nuclei.map(({ contour, x0, y0, width: own }) => {
    shifts.push(left - x0);
    left += own;
    const shift = left - own - x0;
    return contour.map(([x, y]): Point => [x + shift, y - y0]);
  });
  const centred = inPicture.map((contour) => [contour.map(([x, y]): Point => [x + 0.5, y + 0.5])]);
  const { mask } = rasterizePolygons(polygonsFrom(centred), { width, height });
  inPicture.forEach((contour, i) => {
    contour.forEach((point, k) => {
      drawLine(point, contour[(k + 1) % contour.length] as Point, (x, y) => {
        mask.data[y * width + x] = i + 1;
      });
    });
  });
  const { points, ringOffsets, polygonOffsets } = cellContours(mask, findCells(mask));
  nuclei.forEach(({ y0 }, i) => {
    for (let r = polygonOffsets[i] as number; r < (polygonOffsets[i + 1] as number); r++) {
      for (let at = ringOffsets[r] as number; at < (ringOffsets[r + 1] as number); at++) {
        builder.point((points[at * 2] as number) - (shifts[i] as number), (points[at * 2 + 1] as number) + y0);
      }
      builder.endRing();
    }
    builder.endPolygon();
  });
}

/** Gathers nuclei one by one. */
class NucleusReader {
  private readonly builder = new PolygonBuilder();
  private readonly odd = new Oddities();
  private readonly names: (string | undefined)[] = [];
  private readonly classes: (string | undefined)[] = [];
  private waiting: Nucleus[] = [];
  private waitingWidth = 0;
  private waitingHeight = 0;

  constructor(private readonly path: string) {}

  add(value: unknown, name: string, place: number): void {
    const where = `nucleus ${place} ("${name}")`;
    if (!isMembers(value)) throw new UamError('UAM_FORMAT', `${this.path}: ${where} must be an object with a "contour"`);
    const { contour, type } = value;
    if (contour === undefined || contour === null || (Array.isArray(contour) && contour.length === 0)) {
      this.odd.note('no_contour', where, 'nuclei without a contour were passed over');
      return;
    }
    this.enqueue(this.nucleus(contour, where));
    this.names.push(name);
    this.classes.push(typeof type === 'number' || typeof type === 'string' ? String(type) : undefined);
  }

  private nucleus(contour: unknown, where: string): Nucleus {
    if (!Array.isArray(contour)) throw new UamError('UAM_FORMAT', `${this.path}: ${where} has a contour that is no list of positions`);
    // OpenCV itself gives [[[x, y]], ...]; some tools write that down as it is.
    const flat = contour.map((position: unknown) => (Array.isArray(position) && Array.isArray(position[0]) ? position[0] : position));
    const wrong = flat.findIndex((position) => !isPosition(position));
    if (wrong >= 0) {
      throw new UamError('UAM_FORMAT', `${this.path}: ${where}, position ${wrong + 1} of the contour must be two finite numbers`);
    }
    // Scaled contours come with fractions; the pixel that a point lies in is the nearest whole number.
    const points = (flat as Point[]).map(([x, y]): Point => [Math.round(x), Math.round(y)]);
    let [x0, y0, x1, y1] = [Infinity, Infinity, -Infinity, -Infinity];
    for (const [x, y] of points) {
      [x0, y0] = [Math.min(x0, x), Math.min(y0, y)];
      [x1, y1] = [Math.max(x1, x), Math.max(y1, y)];
    }
    const [width, height] = [x1 - x0 + 1, y1 - y0 + 1];
    if (width > largestSide || height > largestSide || Math.max(Math.abs(x0), Math.abs(y0)) > 2 ** 31) {
      throw new UamError('UAM_DATA', `${this.path}: ${where} is ${width} x ${height} pixels from (${x0}, ${y0}): no nucleus is that large`);
    }
    return { contour: points, x0, y0, width, height };
  }

  private enqueue(nucleus: Nucleus): void {
    const height = Math.max(this.waitingHeight, nucleus.height);
    if (this.waiting.length > 0 && (this.waitingWidth + nucleus.width) * height > mostPixels) this.flush();
    this.waiting.push(nucleus);
    this.waitingWidth += nucleus.width;
    this.waitingHeight = Math.max(this.waitingHeight, nucleus.height);
    if (this.waiting.length === 512) this.flush();
  }

  private flush(): void {
    if (this.waiting.length > 0) appendOutlines(this.waiting, this.builder);
    this.waiting = [];
    this.waitingWidth = 0;
    this.waitingHeight = 0;
  }

  private ids(): Uint32Array {
    const own = this.names.map(Number);
    const usable = own.every((id) => Number.isInteger(id) && id > 0 && id < 2 ** 32) && new Set(own).size === own.length;
    if (usable) return Uint32Array.from(own);
    this.odd.note('renumbered', 'all nuclei', 'their names are not different whole numbers above 0: the ids are their places in the file');
    return Uint32Array.from(own, (_, i) => i + 1);
  }

  finish(magnification: number | undefined, typeNames: Members): CellPolygons {
    this.flush();
    const polygons = this.builder.finish();
    const ids = this.ids();
    const named = (type: string | undefined) => {
      const name = type === undefined ? undefined : typeNames[type];
      return typeof name === 'string' ? name : type;
    };
    return {
      format: 'hovernet',
      polygons,
      ids,
      names: this.names,
      classes: this.classes.map(named),
      objectTypes: this.names.map(() => undefined),
      magnification,
      warnings: this.odd.warnings(this.path),
    };
  }
}

/** Members that are not nuclei, in the variants of the format. */
const header: readonly string[] = ['mag', 'wsi_metadata', 'processed_patches', 'type_map'];

/**
 * Reads the nuclei of a HoVer-Net JSON file: `{"mag": 40, "nuc": {"1": {"contour": [[x, y], ...], "type": 1, ...}, ...}}`, the older
 * form with the nuclei at the top, and CellViT's `{"cells": [...]}`; `.gz` is unpacked. It is read nucleus by nucleus.
 *
 * The contours run through the centres of the outermost pixels. They are returned as outlines along pixel edges, the outermost pixels
 * included, so `rasterizePolygons` gives back the nuclei's own pixels (holes are not in the file).
 *
 * @param path the file
 * @returns polygons, ids as the file has them, classes (the types, as text), magnification and warnings
 * @throws UamError `UAM_INPUT` where the file cannot be read, `UAM_FORMAT` where it is broken, with the byte or the nucleus; `UAM_DATA`
 *   for a nucleus of more than 4,096 pixels in height or width
 * @example
 * const { writeFile, rm } = await import('node:fs/promises');
 * await writeFile('nuclei.json', JSON.stringify({ mag: 40, nuc: { 7: { contour: [[4, 4], [6, 4], [6, 6], [4, 6]], type: 2 } } }));
 * const { polygons, ids } = await readHoverNet('nuclei.json');
 * console.log(ids[0], ringArea(polygons, 0)); // 7 9
 * await rm('nuclei.json');
 */
export async function readHoverNet(path: string): Promise<CellPolygons> {
  const reader = new NucleusReader(path);
  const cutter = new JsonCutter(path, ['nuc', 'cells']);
  const members: Members = {};
  let place = 0;
  for await (const item of jsonItems(path, cutter)) {
    if (item.container !== 'top') reader.add(item.value, item.key ?? String(item.index + 1), ++place);
    else if (item.key === undefined) throw new UamError('UAM_FORMAT', `${path}: expected an object of nuclei, found a list`);
    else if (header.includes(item.key) || !isMembers(item.value)) members[item.key] = item.value;
    else if (cutter.opened.size === 0 && 'contour' in item.value) reader.add(item.value, item.key, ++place);
  }
  if (place === 0 && cutter.opened.size === 0 && !('mag' in members)) {
    throw new UamError('UAM_FORMAT', `${path}: there is neither "nuc" nor a nucleus with a "contour"`);
  }
  const wsi = isMembers(members.wsi_metadata) ? members.wsi_metadata : {};
  const magnification = [members.mag, wsi.magnification].find((value) => typeof value === 'number' && value > 0) as number | undefined;
  return reader.finish(magnification, isMembers(members.type_map) ? members.type_map : {});
}
