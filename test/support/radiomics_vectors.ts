// Runs the folder shared/vectors/radiomics (real values of PyRadiomics; its README says what is what) and fixtures cut from it.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import type { Plane } from '../../src/image/image.js';
import { packageRoot } from '../../src/native/load.js';
import { SHAPE_CLASSES, TEXTURE_CLASSES } from '../../src/radiomics/classes.js';
import { deriveImages } from '../../src/radiomics/image_types.js';
import { type RoiMask, roiInput } from '../../src/radiomics/roi.js';
import { completeSettings, type Settings } from '../../src/radiomics/settings.js';
import { hostDevice } from './backends.js';
import { parseNpy } from './npy.js';

/** Values by setting and class; a class that PyRadiomics refuses is null, a feature that is not a number too. */
export type Expected = Record<string, Record<string, Record<string, number | null> | null>>;

export interface RoiCase {
  id: string;
  /** Of the kind of region, such as `line_h`. */
  type: string;
  regions: RoiMask;
  plane: Plane;
  /** The region of `regions` that the values speak of. */
  region: number;
  values: Expected;
  settings: Record<string, Partial<Settings>>;
}

export interface ClassResult {
  id: string;
  setting: string;
  class: string;
  features: number;
  /** `name: expected, received`, for each feature out of tolerance. */
  wrong: string[];
  /** Greatest |a - b| as a multiple of what is allowed. */
  worst: number;
}

const json = (path: string) => JSON.parse(readFileSync(path, 'utf8'));

export function boxOf(labels: Uint32Array, width: number, id: number): number[] {
  let [x0, y0, x1, y1] = [Infinity, Infinity, 0, 0];
  labels.forEach((label, at) => {
    if (label !== id) return;
    const x = at % width;
    const y = (at - x) / width;
    [x0, y0, x1, y1] = [Math.min(x0, x), Math.min(y0, y), Math.max(x1, x + 1), Math.max(y1, y + 1)];
  });
  return [x0, y0, x1, y1];
}

export function oneRegion(mask: ArrayLike<number>, shape: readonly number[]): RoiMask {
  const labels = Uint32Array.from(mask);
  const [height = 0, width = 0] = shape;
  return { height, width, rois: 1, labels, ids: Uint32Array.of(1), boxes: Int32Array.from(boxOf(labels, width, 1)) };
}

export function readRoi(folder: string, id: string): { regions: RoiMask; plane: Plane } {
  const image = parseNpy(readFileSync(join(folder, `rois/${id}_image.npy`)));
  const mask = parseNpy(readFileSync(join(folder, `rois/${id}_mask.npy`)));
  return { regions: oneRegion(mask.data, mask.shape), plane: image.data as Plane };
}

/** The 44 regions of rois.json. */
export function roiCases(folder: string): RoiCase[] {
  const { meta, rois } = json(join(folder, 'rois.json'));
  return rois.map((roi: { id: string; type: string; values: Expected }) => ({
    ...roi,
    ...readRoi(folder, roi.id),
    region: 0,
    settings: meta.settings,
  }));
}

/** The 200 cells of the composed image. */
export function composedCases(folder: string): RoiCase[] {
  const { meta, cells } = json(join(folder, 'composed512.json'));
  const image = parseNpy(readFileSync(join(folder, 'composed512_image.npy')));
  const mask = parseNpy(readFileSync(join(folder, 'composed512_labels.npy')));
  const [height = 0, width = 0] = mask.shape;
  const labels = Uint32Array.from(mask.data);
  const ids = Uint32Array.from(cells, ({ label }: { label: number }) => label);
  const boxes = Int32Array.from([...ids].flatMap((id) => boxOf(labels, width, id)));
  const regions = { height, width, rois: ids.length, labels, ids, boxes };
  return cells.map((cell: { label: number; type: string; values: Expected }, region: number) => ({
    id: `label ${cell.label}`,
    type: cell.type,
    values: cell.values,
    regions,
    plane: image.data as Plane,
    region,
    settings: meta.settings,
  }));
}

/** Rows of one class, for every region of the input. */
export function runClass(
  name: string,
  regions: RoiMask,
  plane: Plane,
  partial: Partial<Settings>,
): { names: string[]; rows: Float64Array } {
  const settings = completeSettings(partial);
  const spacing = settings.spacing ?? [1, 1];
  const shape = SHAPE_CLASSES.find((entry) => entry.name === name);
  const texture = TEXTURE_CLASSES.find((entry) => entry.name === name);
  const found = shape ?? texture;
  if (!found) throw new Error(`there is no class ${name}`);
  const out = new Float64Array(regions.rois * found.features.length);
  const where = { device: hostDevice() };
  if (shape) shape.kernel(shape.params(regions, spacing, out), where);
  else if (texture) texture.kernel(texture.params(roiInput(regions, plane, settings), settings, spacing, out), where);
  return { names: found.features.map((feature) => feature.name), rows: out };
}

const LINES = ['line_h', 'line_v', 'line_diag', 'line_antidiag', 'pair', 'two_far_pixels'];

/** What the README allows: 1e-9 + 1e-7 |expected|, and 1e-6 where values are rounding noise about 0. */
function allowed(type: string, feature: string, expected: number): number {
  const noisy =
    feature === 'MCC' ||
    (feature === 'Imc2' && Math.abs(expected) < 1e-3) ||
    (LINES.includes(type) && (feature === 'Elongation' || feature === 'MinorAxisLength'));
  return 1e-9 + 1e-7 * Math.abs(expected) + (noisy ? 1e-6 : 0);
}

export function compare(
  type: string,
  names: readonly string[],
  row: ArrayLike<number>,
  expected: Record<string, number | null> | null,
): { features: number; wrong: string[]; worst: number } {
  const wrong: string[] = [];
  let worst = 0;
  let features = 0;
  for (const [feature, value] of Object.entries(expected ?? Object.fromEntries(names.map((name) => [name, null])))) {
    features++;
    const at = names.indexOf(feature);
    const received = at < 0 ? undefined : (row[at] as number);
    if (value === null || received === undefined) {
      if (!Number.isNaN(received ?? 0)) wrong.push(`${feature}: expected ${value}, received ${received}`);
      continue;
    }
    const share = Math.abs(received - value) / allowed(type, feature, value);
    worst = Math.max(worst, share);
    if (!(share <= 1)) wrong.push(`${feature}: expected ${value}, received ${received}`);
  }
  return { features, wrong, worst };
}

/** Every class of every case under every setting; cases on the same image are computed together. */
export function* runRois(cases: readonly RoiCase[], onlyClass?: string): Generator<ClassResult> {
  const rows = new Map<string, ReturnType<typeof runClass>>();
  let image: Plane | undefined;
  for (const roi of cases) {
    if (roi.plane !== image) rows.clear();
    image = roi.plane;
    for (const [setting, classes] of Object.entries(roi.values)) {
      for (const [name, expected] of Object.entries(classes)) {
        if (onlyClass && name !== onlyClass) continue;
        const key = `${setting} ${name}`;
        const result = rows.get(key) ?? runClass(name, roi.regions, roi.plane, roi.settings[setting] ?? {});
        rows.set(key, result);
        const row = result.rows.subarray(roi.region * result.names.length, (roi.region + 1) * result.names.length);
        yield { id: roi.id, setting, class: name, ...compare(roi.type, result.names, row, expected) };
      }
    }
  }
}

export interface MatrixCase {
  id: string;
  regions: RoiMask;
  plane: Plane;
  /** Rows of the raw matrices, under the names of matrices.json. */
  matrix: Record<string, number[][]>;
}

/** The regions of matrices.json (binWidth 25). */
export function matrixCases(folder: string): MatrixCase[] {
  return json(join(folder, 'matrices.json')).rois.map((matrix: { id: string } & MatrixCase['matrix']) => ({
    id: matrix.id,
    ...readRoi(folder, matrix.id),
    matrix,
  }));
}

interface Fixture {
  settings: RoiCase['settings'];
  rois: { id: string; type: string; shape: number[]; image: number[]; mask: number[]; values: Expected; matrix?: MatrixCase['matrix'] }[];
}

/** The small regions that the repository carries. */
export function fixtureCases(): { rois: RoiCase[]; matrices: MatrixCase[] } {
  const path = join(packageRoot(), 'test/fixtures/radiomics.pyradiomics.json.gz');
  const { settings, rois }: Fixture = JSON.parse(gunzipSync(readFileSync(path)).toString());
  const cases = rois.map(({ id, type, shape, image, mask, values, matrix }) => ({
    ...{ id, type, values, settings, matrix, region: 0 },
    regions: oneRegion(mask, shape),
    plane: Float64Array.from(image),
  }));
  return { rois: cases, matrices: cases.flatMap((roi) => (roi.matrix ? [{ ...roi, matrix: roi.matrix }] : [])) };
}

/** The raw matrices: wrong entries per class. */
export function* runMatrices(cases: readonly MatrixCase[], onlyClass?: string): Generator<ClassResult> {
  for (const { id, regions, plane, matrix } of cases) {
    for (const [name, key] of Object.entries({
      glcm: 'glcm_nonzero',
      glrlm: 'glrlm_nonzero',
      glszm: 'glszm_nonzero',
      ngtdm: 'ngtdm_n_s_i',
      gldm: 'gldm_nonzero',
    })) {
      const expected = matrix[key];
      if ((onlyClass && name !== onlyClass) || !expected) continue;
      const received = rawMatrix(name, regions, plane, { symmetricalGLCM: false });
      yield { id, setting: 'matrix', class: name, ...compareMatrix(received, expected) };
    }
  }
}

/** The features on filtered images of derived.json. */
export async function* runDerived(folder: string, onlyClass?: string): AsyncGenerator<ClassResult> {
  const { meta, rois } = json(join(folder, 'derived.json'));
  for (const { id, values } of rois as { id: string; values: Expected }[]) {
    const { regions, plane } = readRoi(folder, id);
    for await (const { name, plane: derived, overrides } of deriveImages(plane, regions, meta.image_types)) {
      for (const [className, expected] of Object.entries(values[name] ?? {})) {
        if (onlyClass && className !== onlyClass) continue;
        const { names, rows } = runClass(className, regions, derived, overrides);
        yield { id, setting: name, class: className, ...compare(id.replace(/^roi\d+_/, ''), names, rows, expected) };
      }
    }
  }
}

/** The matrix of a class's first region in rows, as the debug entry of the kernels gives it. */
export function rawMatrix(name: string, regions: RoiMask, plane: Plane, partial: Partial<Settings>): number[][] {
  const texture = TEXTURE_CLASSES.find((entry) => entry.name === name);
  if (!texture) throw new Error(`there is no class ${name}`);
  const settings = completeSettings(partial);
  const matrix = new Float64Array(400000);
  const input = { ...roiInput(regions, plane, settings), matrixSize: matrix.length, matrix };
  const out = new Float64Array(regions.rois * texture.features.length);
  texture.kernel(texture.params(input, settings, [1, 1], out), { device: hostDevice() });
  const rows: number[][] = [];
  for (let at = 0; at < matrix.length && !Number.isNaN(matrix[at]); at += 4) rows.push([...matrix.subarray(at, at + 4)]);
  return rows;
}

function compareMatrix(received: number[][], expected: number[][]): { features: number; wrong: string[]; worst: number } {
  const order = (a: number[], b: number[]) => a.map((x, k) => x - (b[k] as number)).find((d) => d !== 0) ?? 0;
  const width = expected[0]?.length ?? 0;
  // ngtdm rows end in the level, and levels without pixels are left out
  const rows = (list: number[][]) =>
    list
      .map((row) => row.slice(0, width))
      .filter((row) => width !== 3 || row[0] !== 0)
      .sort(order);
  const [a, b] = [rows(received), rows(expected)];
  const same = a.length === b.length && a.every((row, k) => row.every((x, c) => Math.abs(x - (b[k]?.[c] as number)) <= 1e-9));
  return { features: b.length, wrong: same ? [] : [`matrix: expected ${JSON.stringify(b)}, received ${JSON.stringify(a)}`], worst: 0 };
}

export const isRadiomicsFolder = (folder: string): boolean => existsSync(join(folder, 'rois.json'));
