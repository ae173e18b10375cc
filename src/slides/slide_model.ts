// What the engine asks of a model.

import type { FeatureColumns } from '../tokens/scaling.js';
import type { TilePixels } from '../train/joint_dataset.js';
import type { ExtractionRecipe } from '../train/recipe.js';

export interface TileInput {
  image?: TilePixels | undefined;
  cells?: { table: FeatureColumns; positions: Float64Array; boxes?: Float64Array } | undefined;
}

export interface TileAnswer {
  logits: Float32Array;
  regions: Float32Array | undefined;
}

/** A model that answers for a tile: `TileModel`, or what a test puts in its place. */
export interface SlideModel {
  readonly classes: readonly string[];
  readonly regions: readonly string[];
  readonly mpp: number | undefined;
  readonly extraction: ExtractionRecipe;
  readonly features: readonly string[];
  readonly temperature: number;
  readonly reads: { cells: boolean; image: boolean };
  answer(input: TileInput): TileAnswer;
  dispose(): void;
}
