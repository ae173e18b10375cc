import type { TileModel } from '../train/tile_model.js';

/** What the engine asks of a model: a `TileModel`, or what a test puts in its place. */
export type SlideModel = Pick<
  TileModel,
  'classes' | 'regions' | 'mpp' | 'extraction' | 'features' | 'temperature' | 'reads' | 'side' | 'answer' | 'dispose'
>;

/** What is to be known of a model before it is loaded. */
export type SlideModelFacts = Omit<SlideModel, 'answer' | 'dispose'>;
