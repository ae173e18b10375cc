// The random trials: what is drawn, and from which ranges. Trial 0 is what one would take without any trial.
import { seeded } from '../../src/train/seeded.js';

/** What a trial of a network sets. */
export interface NetworkTrial {
  /** Times the study's learning rate. */
  rate: number;
  weightDecay: number;
  dropout: number;
  dropPath: number;
  noise: number;
  hide: number;
  labelSmoothing: number;
}

export interface LogisticTrial {
  /** Inverse strength of the L2 penalty. */
  C: number;
}

export interface TreesTrial {
  learning_rate: number;
  max_leaf_nodes: number;
  min_samples_leaf: number;
  l2_regularization: number;
}

class Draw {
  readonly #next: () => number;

  constructor(trial: number, stream: number) {
    this.#next = seeded(trial, stream);
  }

  between(low: number, high: number): number {
    return low + (high - low) * this.#next();
  }

  /** Evenly in the logarithm. */
  times(low: number, high: number): number {
    return low * (high / low) ** this.#next();
  }
}

/** Trial `trial`, the same for every architecture: what is compared are the architectures, not the luck of the draw. */
export function networkTrial(trial: number, standard: NetworkTrial): NetworkTrial {
  if (trial === 0) return standard;
  const draw = new Draw(trial, 1);
  return {
    rate: draw.times(0.5, 2),
    weightDecay: draw.times(0.01, 0.3),
    dropout: draw.between(0, 0.3),
    dropPath: draw.between(0, 0.2),
    noise: draw.between(0, 0.15),
    hide: draw.between(0, 0.15),
    labelSmoothing: draw.between(0, 0.1),
  };
}

/** @param standard trial 0; the others lie up to a hundred times below or above */
export function logisticTrial(trial: number, standard: LogisticTrial): LogisticTrial {
  return { C: trial === 0 ? standard.C : new Draw(trial, 2).times(0.01 * standard.C, 100 * standard.C) };
}

export function treesTrial(trial: number): TreesTrial {
  if (trial === 0) return { learning_rate: 0.1, max_leaf_nodes: 31, min_samples_leaf: 20, l2_regularization: 0 };
  const draw = new Draw(trial, 3);
  return {
    learning_rate: draw.times(0.05, 0.3),
    max_leaf_nodes: Math.round(draw.times(6, 64)),
    min_samples_leaf: Math.round(draw.times(10, 200)),
    l2_regularization: draw.times(1e-3, 30),
  };
}

/** What is tried first. */
export interface FirstTrials {
  standard: NetworkTrial;
  logistic: LogisticTrial;
}

/** What trial `trial` of a contestant sets. */
export function trialOf(
  kind: 'network' | 'logistic' | 'trees',
  trial: number,
  { standard, logistic }: FirstTrials,
): NetworkTrial | LogisticTrial | TreesTrial {
  if (kind === 'network') return networkTrial(trial, standard);
  return kind === 'logistic' ? logisticTrial(trial, logistic) : treesTrial(trial);
}
