// What an extraction has to compute: tasks on every plane, in the order of the columns.
import type { Cells } from '../cells/cells.js';
import type { LabelMask, RasterImage } from '../image/image.js';
import { channelPlanes, channelPrefix, normalised } from './channels.js';
import { shapeTasks, type Task, type TexturePlane, textureTasks } from './class_tasks.js';
import { TEXTURE_CLASSES } from './classes.js';
import { chosenColumns, type Request } from './extract_options.js';
import { deriveImages, type ImageTypeOptions } from './image_types.js';
import { averagedChoice, neighbourhoodChosen, neighbourhoodTask } from './neighbourhood_tasks.js';
import { ringsChosen, ringTasks } from './ring_tasks.js';
import { type RoiMask, roiMask } from './roi.js';
import { completeSettings, type Settings } from './settings.js';

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
