import { recordAll } from './autograd.js';
import { context, noGrad, withGrad } from './context.js';
import type { Node } from './node.js';
import { propagate, type Root } from './propagate.js';
import { scope } from './scope.js';
import { Tensor } from './tensor.js';

const listOf = (result: Tensor | readonly Tensor[]): readonly Tensor[] => (result instanceof Tensor ? [result] : result);

/** Gradients of `sources` from those of `outputs`, through the graph in between only. */
function gradientsBetween(
  sources: readonly Tensor[],
  outputs: readonly Tensor[],
  upstream: (Tensor | undefined)[],
): (Tensor | undefined)[] {
  const boundary = new Set(sources.map((source) => source.node));
  const isBoundary = (node: Node) => boundary.has(node);
  const roots = outputs.flatMap(({ node, output }, index): Root[] => {
    const gradient = upstream[index];
    return node && gradient ? [{ node, output, gradient: gradient.alias() }] : [];
  });
  const pending = propagate(roots, isBoundary, { free: true, isBoundary });
  return sources.map(({ node, output }) => node && pending.get(node)?.[output]);
}

/**
 * Gradient checkpointing: runs `block` without keeping what its operations save, and runs it again in the backward pass.
 * Memory falls to the block's inputs and outputs, time grows by one forward pass.
 *
 * `block` must compute the same values when it runs again: random numbers come from a counter-based generator, so they do.
 * Parameters that it reads from outside are found on their own; gradients reach them too.
 *
 * @param block a function of `inputs`; returns one tensor or a list of them
 * @param inputs the tensors it works on
 * @returns what `block` returns
 * @example
 * const x = Tensor.from([1, 2]).requireGrad();
 * const y = checkpoint((h) => silu(square(h)), [x]);
 */
export function checkpoint<T extends Tensor | readonly Tensor[]>(block: (...inputs: Tensor[]) => T, inputs: readonly Tensor[]): T {
  const outerReads = context.reads;
  const reads = new Set<Tensor>(inputs.filter((input) => input.node));
  context.reads = reads;
  let result: T;
  try {
    // Without a graph inside, every tensor with a node that an operation reads comes from outside.
    result = scope(() => noGrad(() => block(...inputs)));
  } finally {
    context.reads = outerReads;
  }
  const sources = [...reads];
  // A block may hand an input through: the input keeps its own place in the graph.
  const outputs = listOf(result).map((output) => (output.node ? output.alias() : output));
  recordAll('checkpoint', sources, outputs, (upstream) => gradientsBetween(sources, listOf(withGrad(() => block(...inputs))), upstream));
  return (result instanceof Tensor ? outputs[0] : outputs) as T;
}
