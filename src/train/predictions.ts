import type { FeatureTable } from '../radiomics/table.js';
import { highestOf } from './run_model.js';

interface PredictionParts {
  classNames: readonly string[];
  probabilities: Float32Array;
  embeddings: Float32Array;
  width: number;
  table: FeatureTable | undefined;
}

/**
 * What a model says of cells, in their order: entry i of each array speaks of cell i.
 *
 * @example
 * const made = new Predictions({ classNames: ['a', 'b'], probabilities: Float32Array.of(0.2, 0.8), embeddings: new Float32Array(0), width: 0, table: undefined });
 * made.classOf(0);   // 'b'
 */
export class Predictions {
  /** How many cells. */
  readonly length: number;
  readonly classNames: readonly string[];
  /** The likeliest class of each cell, an index into `classNames`. */
  readonly classes: Int32Array;
  /** `[cells, classes]`: calibrated, rows sum to 1. */
  readonly probabilities: Float32Array;
  /** `[cells, width]`: what the backbone makes of each cell; empty where not asked for. */
  readonly embeddings: Float32Array;
  /** Numbers per embedding. */
  readonly width: number;
  /** The cells with their features, where they came from an image. */
  readonly table: FeatureTable | undefined;

  constructor({ classNames, probabilities, embeddings, width, table }: PredictionParts) {
    const count = classNames.length;
    this.length = probabilities.length / count;
    this.classNames = classNames;
    this.probabilities = probabilities;
    this.embeddings = embeddings;
    this.width = width;
    this.table = table;
    this.classes = highestOf(probabilities, count);
  }

  /** The name of a cell's likeliest class. */
  classOf(cell: number): string {
    return this.classNames[this.classes[cell] as number] as string;
  }

  /** The probability of a cell's likeliest class. */
  confidenceOf(cell: number): number {
    return this.probabilities[cell * this.classNames.length + (this.classes[cell] as number)] as number;
  }
}
