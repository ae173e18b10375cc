// What a model's file says beside parameters, configuration, scaling and classes: read, and checked.
import { UamError } from '../errors.js';
import { packageVersion } from '../native/load.js';
import type { CellDataset } from './dataset.js';
import { listHash } from './fingerprint.js';
import { historyFrom } from './learning_curves.js';
import type { Pace } from './pace.js';
import { type ExtractionRecipe, recipeFrom, recipeText } from './recipe.js';
import { marksFrom, marksOf, type SeenMarks } from './seen.js';
import type { EpochRecord } from './training_state.js';

/** The names of the notes in the file. */
export const NOTES = Object.freeze({
  ...{ temperature: 'temperature', extraction: 'extraction', version: 'version', history: 'history' },
  ...{ data: 'training-data', seen: 'training-marks', window: 'window' },
});

export interface ModelNotes {
  /** What its logits are divided by. */
  temperature: number;
  /** The side of the largest tile that it has learned from, in micrometres; undefined where places do not matter, or it does not tell. */
  window: number | undefined;
  /** The version of the package that trained it. */
  version: string | undefined;
  /** How features of images are extracted for it; undefined where it was trained on tables of unknown origin. */
  extraction: ExtractionRecipe | undefined;
  history: EpochRecord[];
  /** Whom it has seen; undefined where the file does not tell. */
  seen: SeenMarks | undefined;
}

/** What a run came to, and on what. */
interface TrainedOn {
  temperature: number;
  history: readonly EpochRecord[];
  training: CellDataset;
  validation: CellDataset | undefined;
  /** Of the model, in its order. */
  features: readonly string[];
  /** See `ModelNotes`. */
  window: number | undefined;
}

/** The notes of a model that was just trained. */
export async function trainingNotes(run: TrainedOn, pace: Pace): Promise<Record<string, string>> {
  const { temperature, history, training, validation, features, window } = run;
  const data = listHash(training);
  const seen = await marksOf({ training, validation }, features, data, pace);
  const recipe = training.extraction && { [NOTES.extraction]: recipeText(training.extraction) };
  return {
    ...{ [NOTES.temperature]: String(temperature), [NOTES.version]: packageVersion(), [NOTES.data]: data, ...recipe },
    ...{ [NOTES.seen]: JSON.stringify(seen), [NOTES.history]: JSON.stringify(history) },
    ...(window === undefined ? {} : { [NOTES.window]: String(window) }),
  };
}

/** @throws UamError `UAM_FORMAT` where they are not as this version writes them */
export function modelNotes(notes: Readonly<Record<string, string>>, where: string): ModelNotes {
  const temperature = Number(notes[NOTES.temperature] ?? 1);
  if (!(temperature > 0 && Number.isFinite(temperature)))
    throw new UamError('UAM_FORMAT', `${where}: its temperature is no number above 0`);
  const window = notes[NOTES.window] === undefined ? undefined : Number(notes[NOTES.window]);
  if (window !== undefined && !(window > 0 && window < 1e9)) throw new UamError('UAM_FORMAT', `${where}: its window is no number above 0`);
  const recipe = notes[NOTES.extraction];
  return {
    ...{ temperature, window, version: notes[NOTES.version], extraction: recipe === undefined ? undefined : recipeFrom(recipe, where) },
    ...{ history: historyFrom(notes[NOTES.history], where), seen: marksFrom(notes[NOTES.seen], where) },
  };
}
