import { UamError } from '../errors.js';
import { context } from './context.js';
import { Tensor } from './tensor.js';

/** The tensors in a returned value: itself, or inside (nested) arrays and plain objects. */
function tensorsIn(value: unknown, found: Set<Tensor>): Set<Tensor> {
  if (value instanceof Tensor) found.add(value);
  else if (Array.isArray(value)) for (const item of value) tensorsIn(item, found);
  else if (value && Object.getPrototypeOf(value) === Object.prototype) for (const item of Object.values(value)) tensorsIn(item, found);
  return found;
}

/**
 * Runs `body` and then disposes of every tensor made inside, except those it returns (on their own, or in arrays and plain
 * objects), those marked with `keep()`, and gradients left in `.grad`. A training step inside a scope gives all its memory back,
 * so resident memory stays flat.
 *
 * @param body a synchronous function
 * @returns what `body` returns
 * @throws UamError `UAM_ARGUMENT` where `body` is asynchronous
 * @example
 * const prediction = Tensor.from([1, 2]).requireGrad();
 * const target = Tensor.from([1, 1]);
 * const loss = scope(() => {
 *   const error = mean(square(sub(prediction, target)));
 *   backward(error);
 *   return error.item();
 * });
 */
export function scope<T>(body: () => T): T {
  const outer = context.scope;
  const inner = new Set<Tensor>();
  context.scope = inner;
  let kept = new Set<Tensor>();
  try {
    const result = body();
    if (result instanceof Promise) {
      throw new UamError('UAM_ARGUMENT', 'scope: the body must be synchronous; open one scope per step inside the async function');
    }
    kept = tensorsIn(result, kept);
    return result;
  } finally {
    context.scope = undefined;
    for (const tensor of inner) {
      if (kept.has(tensor)) outer?.add(tensor);
      else tensor.dispose();
    }
    context.scope = outer;
  }
}
