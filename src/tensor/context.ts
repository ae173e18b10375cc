import { Arena } from './arena.js';
import type { Tensor } from './tensor.js';

/**
 * What the running code is inside of. Together with the loaded addon this is all the module state of the package; every
 * function that changes it puts it back, whatever happens in between.
 */
export const context = {
  arena: new Arena(),
  /** Whether operations are recorded for differentiation. */
  recording: true,
  /** The tensors made since the innermost `scope` began. */
  scope: undefined as Set<Tensor> | undefined,
  /** Inside a checkpointed block: the tensors from outside that it reads. */
  reads: undefined as Set<Tensor> | undefined,
};

/**
 * Runs `body` without recording it: nothing inside can be differentiated, and no inputs are kept for a backward pass.
 *
 * @param body a synchronous function
 * @returns what `body` returns
 * @example
 * const prediction = noGrad(() => sigmoid(Tensor.from([0.5, -1])));
 */
export function noGrad<T>(body: () => T): T {
  const before = context.recording;
  context.recording = false;
  try {
    return body();
  } finally {
    context.recording = before;
  }
}

/** Runs `body` with recording switched on, as a checkpointed block is when it runs again. */
export function withGrad<T>(body: () => T): T {
  const before = context.recording;
  context.recording = true;
  try {
    return body();
  } finally {
    context.recording = before;
  }
}
