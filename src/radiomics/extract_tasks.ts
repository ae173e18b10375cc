// What an extraction has to compute: one task per class and plane, in the order of the columns.
import type { Cells } from '../cells/cells.js';
import type { LabelMask, Plane, RasterImage } from '../image/image.js';
import type { AsyncOptions } from '../native/call.js';
import { channelPlanes, channelPrefix, normalised } from './channels.js';
import { SHAPE_CLASSES, TEXTURE_CLASSES } from './classes.js';
import { chosenColumns, type Request } from './extract_options.js';
import type { FeatureDefinition, TextureClass } from './feature_class.js';
import { deriveImages, type ImageTypeOptions } from './image_types.js';
import { averagedChoice, neighbourhoodChosen, neighbourhoodTask } from './neighbourhood_tasks.js';
import { ringsChosen, ringTasks } from './ring_tasks.js';
import { type RoiMask, roiInput, roiMask } from './roi.js';
import { completeSettings, type Settings } from './settings.js';
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
  run(from: number, to: number, options: AsyncOptions): Promise<Float64Array>;
}

/** A plane to compute texture on, with what its columns start with and the settings that hold for it. */
export interface TexturePlane {
  prefix: string;
  /** Whether it is the channel itself, not what a filter made of it. */
  original: boolean;
  plane: Plane;
  settings: Settings;
}

/** Makes the planes and lists the tasks. */
export async function planTasks(image: RasterImage, mask: LabelMask, cells: Cells, request: Request): Promise<Task[]> {
  const regions = (from: number, to: number): RoiMask => roiMask(mask, cells, from, to);
  const tasks = shapeTasks(regions, request);
  const textured = TEXTURE_CLASSES.some(({ name }) => chosenColumns(request.choice, name).length > 0);
  const rings = ringsChosen(request);
  const neighbours = neighbourhoodChosen(request);
  const planes = textured || rings || neighbours ? await texturePlanes(image, request) : [];
  for (const plane of planes) tasks.push(...textureTasks(regions, plane, request));
  if (rings) tasks.push(...(await ringTasks(mask, cells, planes, request)));
  if (neighbours) {
    const averaged = { ...request, choice: averagedChoice() };
    const main = planes.filter(({ original }) => original).flatMap((plane) => textureTasks(regions, plane, averaged));
    tasks.push(await neighbourhoodTask(image, cells, [...shapeTasks(regions, averaged), ...main], request));
  }
  return tasks;
}

function heads(prefix: string, features: readonly FeatureDefinition[], places: readonly number[], { physical }: Request): ColumnHead[] {
  return places.map((place) => {
    const { name, unit, definition } = features[place] as FeatureDefinition;
    return { name: `${prefix}${name}`, unit: physical ? unit : unit.replace('um', 'px'), definition };
  });
}

function shapeTasks(regions: (from: number, to: number) => RoiMask, request: Request): Task[] {
  return SHAPE_CLASSES.flatMap((entry) => {
    const places = chosenColumns(request.choice, entry.name);
    if (places.length === 0) return [];
    const width = entry.features.length;
    return {
      columns: heads(`${entry.name}_`, entry.features, places, request),
      ...{ places, width },
      run: async (from: number, to: number, options: AsyncOptions) => {
        const out = new Float64Array((to - from) * width);
        await entry.kernel.async(entry.params(regions(from, to), request.spacing, out), options);
        return out;
      },
    };
  });
}

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

/** Each channel in each image type. */
async function texturePlanes(image: RasterImage, request: Request): Promise<TexturePlane[]> {
  const { channels, settings, imageTypes, spacing, signal } = request;
  const planes: TexturePlane[] = [];
  for (const [channel, raw] of await channelPlanes(image, channels, request.stains, { signal })) {
    const plane = normalised(raw, settings);
    // The plane as it is keeps its own kind of numbers: bytes are quicker than what a filter makes of them.
    for (const [type, given] of Object.entries(imageTypes)) {
      if (type === 'Original') {
        planes.push({ prefix: channelPrefix(channel), original: true, plane, settings: completeSettings({ ...settings, ...given }) });
        continue;
      }
      const derived = deriveImages(plane, image, { [type]: given } as ImageTypeOptions, spacing, { signal });
      for await (const { name, plane: filtered, overrides } of derived) {
        const own = completeSettings({ ...settings, ...(overrides as Partial<Settings>) });
        planes.push({ prefix: `${channelPrefix(channel)}${name}_`, original: false, plane: filtered, settings: own });
      }
    }
  }
  return planes;
}
