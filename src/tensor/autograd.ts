import { mismatch, UamError } from '../errors.js';
import { accumulate } from './accumulate.js';
import { context, noGrad } from './context.js';
import { type Backward, type Node, newNode } from './node.js';
import { propagate, type Root } from './propagate.js';
import { format, sameShape } from './shape.js';
import { Tensor } from './tensor.js';

/**
 * Records that `outputs` came from `inputs`, so that they can be differentiated. Every op ends with a call of this; where
 * nothing needs a gradient it does nothing.
 *
 * @returns `outputs`
 */
export function recordAll<T extends readonly Tensor[]>(
  name: string,
  inputs: readonly (Tensor | undefined)[],
  outputs: T,
  backward: Backward,
): T {
  if (context.reads) for (const input of inputs) if (input?.node) context.reads.add(input);
  if (!context.recording || !inputs.some((input) => input?.node)) return outputs;
  const edges = inputs.map((input) => input?.node && { node: input.node, output: input.output, shape: input.shape });
  const node = newNode(
    name,
    edges,
    outputs.map((output) => output.shape),
    backward,
  );
  outputs.forEach((output, index) => {
    output.node = node;
    output.output = index;
  });
  return outputs;
}

/** `recordAll` for an operation with one output. */
export function record(
  name: string,
  inputs: readonly (Tensor | undefined)[],
  output: Tensor,
  backward: (upstream: Tensor, needs: boolean[]) => (Tensor | undefined)[],
): Tensor {
  recordAll(name, inputs, [output], ([upstream], needs) => backward(upstream as Tensor, needs));
  return output;
}

/**
 * A differentiable operation of your own: computes its outputs without recording and tells how gradients flow back.
 *
 * @param name appears in errors
 * @param inputs the tensors it reads, constants included
 * @param forward returns the output (or outputs) as new tensors
 * @param backward gets the gradients of the outputs and which inputs need theirs; returns one gradient, of the input's shape,
 *   per input (`undefined` where none is needed). It may use any op; nothing in it is recorded.
 * @returns what `forward` returns, recorded
 * @throws UamError `UAM_SHAPE` in the backward pass where a gradient does not have its input's shape
 * @example
 * const cube = (x: Tensor) =>
 *   customOp('cube', [x], () => mul(x, mul(x, x)), ([dy]) => [mul(dy as Tensor, mul(Tensor.from(3), mul(x, x)))]);
 */
export function customOp<T extends Tensor | readonly Tensor[]>(
  name: string,
  inputs: readonly (Tensor | undefined)[],
  forward: () => T,
  backward: Backward,
): T {
  const result = noGrad(forward);
  const list: readonly Tensor[] = result instanceof Tensor ? [result] : result;
  const outputs = list.map((output) => (output.node ? output.alias() : output));
  recordAll(name, inputs, outputs, backward);
  return (result instanceof Tensor ? outputs[0] : outputs) as T;
}

export interface GradOptions {
  /** Gradient of the final result with respect to `loss`, of its shape; needed where `loss` is not a single number. */
  upstream?: Tensor;
  /** Keeps the graph for another backward pass. Default false: it is freed, and using it again is an error. */
  retainGraph?: boolean;
  /** Gives zeros for tensors that do not take part in `loss`. Default false: an error. */
  allowUnused?: boolean;
}

function rootOf(loss: Tensor, upstream: Tensor | undefined): Root {
  if (!loss.node) {
    throw new UamError('UAM_GRAPH', 'there is nothing to differentiate: no tensor with requireGrad() took part, or it ran inside noGrad');
  }
  if (!upstream && loss.size !== 1) {
    throw mismatch('UAM_SHAPE', 'loss', 'a single number', format(loss.shape), 'reduce it with sum() or mean(), or pass upstream');
  }
  if (upstream && !sameShape(upstream.shape, loss.shape)) {
    throw mismatch('UAM_SHAPE', 'upstream', `of the loss's shape ${format(loss.shape)}`, format(upstream.shape));
  }
  return {
    node: loss.node,
    output: loss.output,
    gradient: upstream ? upstream.alias() : Tensor.full(loss.shape, 1, loss.dtype, loss.device),
  };
}

/**
 * Gradients of `loss` with respect to `tensors`, which may be leaves or intermediate results. Only what they need is computed.
 *
 * @param loss a tensor of one element (or of any shape, with `options.upstream`)
 * @param tensors what to differentiate by
 * @returns one gradient per tensor, of its shape
 * @throws UamError `UAM_GRAPH` where there is no graph, where it was freed by an earlier pass, or where a tensor takes no part in
 *   `loss`; `UAM_SHAPE` where `loss` is not a single number
 * @example
 * const x = Tensor.from([1, 2, 3]).requireGrad();
 * const [dx] = grad(sum(square(x)), [x]);   // 2, 4, 6
 */
export function grad(loss: Tensor, tensors: readonly Tensor[], options: GradOptions = {}): Tensor[] {
  const targets = new Set(tensors.map((tensor) => tensor.node));
  const pending = propagate([rootOf(loss, options.upstream)], (node) => targets.has(node), { free: !options.retainGraph });
  const taken = new Set<Tensor>();
  return tensors.map((tensor, index) => {
    const gradient = tensor.node && pending.get(tensor.node)?.[tensor.output];
    if (gradient) {
      if (taken.has(gradient)) return gradient.alias();
      taken.add(gradient);
      return gradient;
    }
    if (options.allowUnused) return Tensor.zeros(tensor.shape, tensor.dtype, tensor.device);
    throw new UamError('UAM_GRAPH', `tensor ${index} takes no part in the loss; pass allowUnused: true to get zeros`);
  });
}

/**
 * Adds the gradients of `loss` to the `.grad` of every leaf (`requireGrad()`) that took part in it.
 *
 * @param loss a tensor of one element (or of any shape, with `options.upstream`)
 * @throws UamError as `grad` does
 * @example
 * const weight = Tensor.from([1, 2]).requireGrad();
 * backward(sum(square(weight)));
 * weight.grad?.data;   // 2, 4
 */
export function backward(loss: Tensor, options: Omit<GradOptions, 'allowUnused'> = {}): void {
  const leaves = new Set<Node>();
  const isLeaf = (node: Node) => {
    if (node.leaf) leaves.add(node);
    return node.leaf !== undefined;
  };
  const pending = propagate([rootOf(loss, options.upstream)], isLeaf, { free: !options.retainGraph });
  for (const node of leaves) {
    const leaf = node.leaf as Tensor;
    const gradient = pending.get(node)?.[0];
    if (!gradient) continue;
    if (leaf.grad) {
      accumulate(leaf.grad, gradient);
      gradient.dispose();
    } else {
      // In a leaf, a gradient outlives the scope of the step, and must not share memory with anything.
      leaf.grad = gradient.ownsMemory ? gradient.keep() : gradient.clone().keep();
      if (leaf.grad !== gradient) gradient.dispose();
    }
  }
}
