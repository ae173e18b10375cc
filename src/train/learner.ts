// What a training run teaches, whatever it is: `FitRun` knows of steps, epochs and checkpoints, a learner of cells and images.
import type { Module } from '../nn/module.js';
import type { Tensor } from '../tensor/tensor.js';
import type { Item } from './epoch_plan.js';

/** A part of a step that is differentiated on its own: gradients of parts add up. */
export interface Part {
  /**
   * What the part adds to the loss of its step; undefined where nothing can be learned of it this time.
   *
   * @param draw counts the parts that drew random numbers before
   */
  loss(draw: number): Tensor | undefined;
  /** Where numbers stop being finite, in words, for a part whose loss is not. */
  firstNonFinite(): string;
}

/** How well a model does on what it has not learned from. */
export interface Validation {
  /** Of cells: points on no cell count as errors. Undefined without labels. */
  macroF1?: number | undefined;
  /** Of regions, over all pixels that are known, the mean of the kinds. Undefined without any. */
  dice?: number | undefined;
  /** Mean cross entropy of the labels on cells, plus that of the pixels. */
  loss: number;
  /** Of the classes of cells. */
  temperature: number;
}

export interface Learner {
  readonly model: Module;
  /** How many items an epoch has. */
  readonly items: number;
  /** The items of an epoch in its order, which the seed and the epoch decide. */
  order(epoch: number): Item[];
  /** One step, in parts. */
  parts(items: readonly Item[], step: number): Promise<Part[]>;
  /** The model, in evaluation mode, on the validation part; undefined where there is none. */
  validate(): Promise<Validation | undefined>;
}
