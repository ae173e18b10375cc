// What a model's file says of the model, from its head: its parameters are for the threads.
import { readJointFile } from '../heads/joint_file.js';
import { readModelFile } from '../heads/model_file.js';
import { modelKind } from '../heads/model_kind.js';
import { sideOf } from '../train/joint_uam.js';
import { modelNotes } from '../train/model_notes.js';
import { DEFAULT_RECIPE } from '../train/recipe.js';
import { refuseMaps } from '../train/tile_model.js';
import type { SlideModelFacts } from './slide_model.js';

/**
 * The same as the `TileModel` of the file would say.
 *
 * @throws UamError as `readJointFile`, `readModelFile`, `refuseMaps`
 */
export async function modelFacts(path: string): Promise<SlideModelFacts> {
  if ((await modelKind(path)) === 'joint') {
    const { config, classes, regions, scaling, mpp, notes } = await readJointFile(path);
    refuseMaps(config, path);
    const { extraction = DEFAULT_RECIPE, temperature, window } = modelNotes(notes, path);
    const reads = { cells: scaling !== undefined, image: true };
    return { classes, regions, mpp, extraction, temperature, reads, features: scaling?.names ?? [], side: (size) => sideOf(window, size) };
  }
  const { classes, scaling, notes } = await readModelFile(path);
  const { extraction = DEFAULT_RECIPE, temperature, window } = modelNotes(notes, path);
  return {
    ...{ classes, regions: [], extraction, temperature, reads: { cells: true, image: false } },
    mpp: typeof extraction.mpp === 'number' ? extraction.mpp : undefined,
    features: scaling.names,
    side: (size) => sideOf(window, size),
  };
}
