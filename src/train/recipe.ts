// How features of cells are extracted from images: kept in the model's file, so that prediction does what training did.
import { mismatch, UamError } from '../errors.js';
import type { ExtractOptions } from '../radiomics/extract_options.js';
import { isMeasuringScale } from '../radiomics/measuring_scale.js';

const KEYS = Object.freeze(['settings', 'features', 'channels', 'imageTypes', 'stains', 'ringWidth', 'mpp'] as const);

/** The options of `radiomics.extract` that decide what comes out: plain data. */
export type ExtractionRecipe = Pick<ExtractOptions, (typeof KEYS)[number]>;

/** PyRadiomics' features of grey and of both stains, form, gradients, the ring about the nucleus and its neighbourhood. */
export const DEFAULT_RECIPE: ExtractionRecipe = Object.freeze({
  features: Object.freeze(['all']) as readonly string[],
  channels: Object.freeze(['grey', 'haematoxylin', 'eosin']) as readonly string[],
});

/** A recipe as text for a model's file. */
export const recipeText = (recipe: ExtractionRecipe): string =>
  JSON.stringify(Object.fromEntries(KEYS.flatMap((key) => (recipe[key] === undefined ? [] : [[key, recipe[key]]]))));

/**
 * Only what is known is taken over; values are checked by the extraction itself, which runs nothing that it is given. Recipes of before
 * there was a pixel size measure each image at its own, and say so from here on.
 */
export function recipeFrom(text: string, where: string): ExtractionRecipe {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new UamError('UAM_FORMAT', `${where}: its recipe of extraction is not JSON`, { cause: error });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw mismatch('UAM_FORMAT', `${where}: its recipe of extraction`, 'an object', typeof value);
  }
  const strange = Object.keys(value).find((key) => !(KEYS as readonly string[]).includes(key));
  if (strange !== undefined) throw new UamError('UAM_FORMAT', `${where}: its recipe of extraction has an unknown option '${strange}'`);
  const recipe = { mpp: 'own', ...value } as ExtractionRecipe;
  if (!isMeasuringScale(recipe.mpp)) {
    throw mismatch('UAM_FORMAT', `${where}: the pixel size of its extraction`, "a number above 0, or 'own'", JSON.stringify(recipe.mpp));
  }
  return recipe;
}

/** The columns that change when an image is turned by right angles: with turned tiles a model cannot use them. */
const TURNING = /(?:^|_)morphology_Orientation$/;

/** Whether a feature changes when the image is turned or mirrored. */
export const dependsOnOrientation = (name: string): boolean => TURNING.test(name);
