// Tasks: what one class, or several that share their regions, computes of the cells of a block.
import type { Plane } from '../image/image.js';
import type { HostOptions } from '../native/call.js';
import { SHAPE_CLASSES, TEXTURE_CLASSES } from './classes.js';
import { chosenColumns, type Request } from './extract_options.js';
import type { FeatureDefinition, TextureClass } from './feature_class.js';
import { type RoiMask, roiInput } from './roi.js';
import type { Settings } from './settings.js';
import { JOINT_CLASSES, textureKernel, textureParams } from './texture.js';

/** A column without its values. */
export interface ColumnHead {
  name: string;
  unit: string;
  definition: string;
}

/** Where `width` numbers of a row, from `start` on, are NaN, the cell has no values, or no neighbours. */
export interface StatusSign {
  start: number;
  width: number;
  lacks: 'values' | 'neighbours';
}

export interface Task {
  columns: readonly ColumnHead[];
  /** The place of each column in a row of what `run` gives. */
  places: readonly number[];
  /** Numbers per row. */
  width: number;
  /** Numbers whose being NaN, all of them, tells a cell's status. */
  decidesStatus?: readonly StatusSign[] | undefined;
  /** Rows of the cells `[from, to)`. */
  run(from: number, to: number, options: HostOptions): Promise<Float64Array>;
}

/** A plane to compute texture on, with what its columns start with and the settings that hold for it. */
export interface TexturePlane {
  prefix: string;
  /** Whether it is the channel itself, not what a filter made of it. */
  original: boolean;
  plane: Plane;
  settings: Settings;
}

function heads(prefix: string, features: readonly FeatureDefinition[], places: readonly number[], { physical }: Request): ColumnHead[] {
  return places.map((place) => {
    const { name, unit, definition } = features[place] as FeatureDefinition;
    return { name: `${prefix}${name}`, unit: physical ? unit : unit.replace('um', 'px'), definition };
  });
}

/** Tasks of the classes that read the mask alone. */
export function shapeTasks(regions: (from: number, to: number) => RoiMask, request: Request): Task[] {
  return SHAPE_CLASSES.flatMap((entry) => {
    const places = chosenColumns(request.choice, entry.name);
    if (places.length === 0) return [];
    const width = entry.features.length;
    return {
      columns: heads(`${entry.name}_`, entry.features, places, request),
      ...{ places, width },
      run: async (from: number, to: number, options: HostOptions) => {
        const out = new Float64Array((to - from) * width);
        await entry.kernel.async(entry.params(regions(from, to), request.spacing, out), options);
        return out;
      },
    };
  });
}

/** Tasks of the classes that read one plane. */
export function textureTasks(regions: (from: number, to: number) => RoiMask, plane: TexturePlane, request: Request): Task[] {
  const others = TEXTURE_CLASSES.filter((entry) => !JOINT_CLASSES.includes(entry));
  return [...jointTask(regions, plane, request), ...others.flatMap((entry) => classTask(entry, regions, plane, request))];
}

/** The classes that are computed together, if any of them is chosen. */
function jointTask(regions: (from: number, to: number) => RoiMask, { prefix, plane, settings }: TexturePlane, request: Request): Task[] {
  const classes = JOINT_CLASSES.filter(({ name }) => chosenColumns(request.choice, name).length > 0);
  if (classes.length === 0) return [];
  const columns: ColumnHead[] = [];
  const places: number[] = [];
  const decidesStatus: StatusSign[] = [];
  let start = 0;
  for (const { name, features } of classes) {
    const chosen = chosenColumns(request.choice, name);
    columns.push(...heads(`${prefix}${name}_`, features, chosen, request));
    places.push(...chosen.map((place) => start + place));
    // These classes are NaN for want of values, or of neighbours, and for no other reason.
    decidesStatus.push({ start, width: features.length, lacks: name === 'firstorder' ? 'values' : 'neighbours' });
    start += features.length;
  }
  const run: Task['run'] = async (from, to, options) => {
    const params = textureParams(classes, roiInput(regions(from, to), plane, settings), settings, request.spacing);
    await textureKernel.async(params, options);
    return params.out;
  };
  return [{ columns, places, width: start, decidesStatus, run }];
}

function classTask(
  // biome-ignore lint/suspicious/noExplicitAny: each class has parameters of its own
  entry: TextureClass<any>,
  regions: (from: number, to: number) => RoiMask,
  { prefix, plane, settings }: TexturePlane,
  request: Request,
): Task[] {
  const places = chosenColumns(request.choice, entry.name);
  if (places.length === 0) return [];
  const width = entry.features.length;
  const run: Task['run'] = async (from, to, options) => {
    const out = new Float64Array((to - from) * width);
    const input = roiInput(regions(from, to), plane, settings);
    await entry.kernel.async(entry.params(input, settings, request.spacing, out), options);
    return out;
  };
  return [{ columns: heads(`${prefix}${entry.name}_`, entry.features, places, request), places, width, run }];
}
