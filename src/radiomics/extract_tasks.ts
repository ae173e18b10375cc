// What an extraction has to compute: one task per class and plane, in the order of the columns.
import type { Cells } from '../cells/cells.js';
import type { LabelMask, Plane, RasterImage } from '../image/image.js';
import type { AsyncOptions } from '../native/call.js';
import { channelPlanes, channelPrefix, normalised } from './channels.js';
import { SHAPE_CLASSES, TEXTURE_CLASSES } from './classes.js';
import { chosenColumns, type Request } from './extract_options.js';
import type { FeatureDefinition } from './feature_class.js';
import { deriveImages, type ImageTypeOptions } from './image_types.js';
import { averagedChoice, neighbourhoodChosen, neighbourhoodTask } from './neighbourhood_tasks.js';
import { ringsChosen, ringTasks } from './ring_tasks.js';
import { type RoiMask, roiInput, roiMask } from './roi.js';
import { completeSettings, type Settings } from './settings.js';

/** A column without its values. */
export interface ColumnHead {
  name: string;
  unit: string;
  definition: string;
}

export interface Task {
  columns: readonly ColumnHead[];
  /** The place of each column in a row of what `run` gives. */
  places: readonly number[];
  /** Numbers per row. */
  width: number;
  /** Whether rows of nothing but NaN tell a cell's status: it has no values, or no neighbours. */
  decidesStatus?: 'values' | 'neighbours' | undefined;
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

/** The classes that are NaN for want of values, or of neighbours, and for no other reason. */
const DECIDES_STATUS: Readonly<Record<string, Task['decidesStatus']>> = Object.freeze({
  firstorder: 'values',
  glcm: 'neighbours',
  glrlm: 'neighbours',
  glszm: 'neighbours',
  ngtdm: 'neighbours',
  gldm: 'neighbours',
});

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

export function textureTasks(
  regions: (from: number, to: number) => RoiMask,
  { prefix, plane, settings }: TexturePlane,
  request: Request,
): Task[] {
  return TEXTURE_CLASSES.flatMap((entry): Task[] => {
    const places = chosenColumns(request.choice, entry.name);
    if (places.length === 0) return [];
    const width = entry.features.length;
    return [
      {
        columns: heads(`${prefix}${entry.name}_`, entry.features, places, request),
        ...{ places, width },
        decidesStatus: DECIDES_STATUS[entry.name],
        run: async (from, to, options) => {
          const out = new Float64Array((to - from) * width);
          const input = roiInput(regions(from, to), plane, settings);
          await entry.kernel.async(entry.params(input, settings, request.spacing, out), options);
          return out;
        },
      },
    ];
  });
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
