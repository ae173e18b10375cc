import { mismatch, UamError } from '../errors.js';
import { accumulate } from './accumulate.js';
import { noGrad } from './context.js';
import type { Node } from './node.js';
import { scope } from './scope.js';
import { format, sameShape } from './shape.js';
import { Tensor } from './tensor.js';

/** Where a backward pass starts: the gradient that arrives at one output of a node. */
export interface Root {
  node: Node;
  output: number;
  gradient: Tensor;
}

/** Gradients that arrived at a node's outputs and wait for its turn. */
export class Pending {
  readonly #gradients = new Map<Node, (Tensor | undefined)[]>();

  add(node: Node, output: number, gradient: Tensor): void {
    const slots = this.#gradients.get(node) ?? new Array<Tensor | undefined>(node.outputs.length).fill(undefined);
    this.#gradients.set(node, slots);
    const present = slots[output];
    if (!present) {
      slots[output] = gradient;
    } else if (present.ownsMemory) {
      accumulate(present, gradient);
      gradient.dispose();
    } else {
      const sum = present.clone();
      accumulate(sum, gradient);
      present.dispose();
      gradient.dispose();
      slots[output] = sum;
    }
  }

  get(node: Node): (Tensor | undefined)[] | undefined {
    return this.#gradients.get(node);
  }

  drop(node: Node): void {
    for (const gradient of this.#gradients.get(node) ?? []) gradient?.dispose();
    this.#gradients.delete(node);
  }
}

/** Every node that the roots were computed from, newest first. The walk does not go past boundaries. */
function ancestors(roots: readonly Node[], isBoundary: (node: Node) => boolean): Node[] {
  const seen = new Set<Node>(roots);
  const stack = [...seen];
  for (let node = stack.pop(); node; node = stack.pop()) {
    if (node.freed && !isBoundary(node)) {
      throw new UamError(
        'UAM_GRAPH',
        `the graph of ${node.name} was already used and freed; pass retainGraph: true to the first backward pass`,
      );
    }
    if (isBoundary(node)) continue;
    for (const input of node.inputs) {
      if (input && !seen.has(input.node)) {
        seen.add(input.node);
        stack.push(input.node);
      }
    }
  }
  return [...seen].sort((a, b) => b.id - a.id);
}

/** Calls a node's backward function; the gradients come back as tensors of our own, everything else it made is gone. */
function gradientsOfInputs(node: Node, upstream: (Tensor | undefined)[], needs: boolean[]): (Tensor | undefined)[] {
  const { backward } = node;
  if (!backward) return [];
  return scope(() => {
    const marker = Tensor.from(0);
    const given = new Set<Tensor>();
    return noGrad(() => backward(upstream, needs)).map((gradient, index) => {
      const input = node.inputs[index];
      if (!gradient || !input || !needs[index]) return undefined;
      if (!sameShape(gradient.shape, input.shape)) {
        throw mismatch('UAM_SHAPE', `${node.name}: gradient of input ${index}`, format(input.shape), format(gradient.shape));
      }
      // A tensor that existed before, or that is returned twice, is not ours to change or dispose of.
      if (gradient.serial < marker.serial || given.has(gradient)) return gradient.alias();
      given.add(gradient);
      return gradient;
    });
  });
}

interface PropagateOptions {
  /** Frees the graph behind the pass. */
  free: boolean;
  /** Nodes that the walk does not look behind, and does not free. */
  isBoundary?: (node: Node) => boolean;
}

/**
 * Walks the graph from the roots to the wanted nodes, newest node first, and returns the gradients that arrived at the wanted
 * ones. Nodes that lead to none of them are passed over; gradients on the way are disposed of as soon as they were used.
 */
export function propagate(
  roots: readonly Root[],
  wanted: (node: Node) => boolean,
  { free, isBoundary = () => false }: PropagateOptions,
): Pending {
  const nodes = ancestors(
    roots.map((root) => root.node),
    isBoundary,
  );
  const needed = new Set<Node>();
  for (const node of [...nodes].reverse()) {
    if (wanted(node) || (!isBoundary(node) && node.inputs.some((input) => input && needed.has(input.node)))) needed.add(node);
  }
  const pending = new Pending();
  for (const { node, output, gradient } of roots) pending.add(node, output, gradient);
  for (const node of nodes) {
    const gradients = pending.get(node);
    if (gradients && needed.has(node) && !isBoundary(node)) {
      const needs = node.inputs.map((input) => input !== undefined && needed.has(input.node));
      gradientsOfInputs(node, gradients, needs).forEach((gradient, index) => {
        const input = node.inputs[index];
        if (gradient && input) pending.add(input.node, input.output, gradient);
      });
    }
    if (!wanted(node)) pending.drop(node);
    if (free && !node.leaf && !isBoundary(node)) {
      node.freed = true;
      node.backward = undefined;
      node.inputs = [];
    }
  }
  return pending;
}
