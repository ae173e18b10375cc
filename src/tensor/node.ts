import type { Shape } from './shape.js';
import type { Tensor } from './tensor.js';

/**
 * Gradients of the inputs from those of the outputs. `needs[i]` says whether input i's gradient is wanted: the others may be
 * left undefined. An upstream gradient is undefined where that output does not matter. Runs without recording.
 */
export type Backward = (upstream: (Tensor | undefined)[], needs: boolean[]) => (Tensor | undefined)[];

/** One operation of a graph. Ids rise, so falling ids are a valid order for walking backward: no recursion, no global tape. */
export interface Node {
  readonly id: number;
  readonly name: string;
  /** Where each input came from; undefined for constants. */
  inputs: ({ node: Node; output: number; shape: Shape } | undefined)[];
  /** Shapes of the outputs. */
  readonly outputs: Shape[];
  /** Undefined for leaves, and once the graph was used. */
  backward: Backward | undefined;
  /** The tensor that gradients are collected for, where this node is one's own. */
  readonly leaf: Tensor | undefined;
  freed: boolean;
}

let nodes = 0;

export function newNode(name: string, inputs: Node['inputs'], outputs: Shape[], backward: Backward): Node {
  return { id: nodes++, name, inputs, outputs, backward, leaf: undefined, freed: false };
}

export function newLeaf(tensor: Tensor): Node {
  return { id: nodes++, name: 'leaf', inputs: [], outputs: [tensor.shape], backward: undefined, leaf: tensor, freed: false };
}
