// One case, five questions: does every backend give the reference's numbers, are the reference's gradients true (finite
// differences in float64), are the bits the same for 1, 2 and 4 threads and from run to run, do misaligned views work, and is
// every output written. A card is asked with its arrays on the host, and with tensors that live there.
import type { Test } from 'tap';
import { type DataArray, grad, noGrad, scope, Tensor } from '../../src/index.js';
import { context } from '../../src/tensor/context.js';
import { onBackend, proves, type TestBackend, testBackends } from './backends.js';
import { relativeError, sameBits } from './near.js';
import { randomTensor } from './random.js';

export type Tensors = Record<string, Tensor>;

export interface OpCase {
  name: string;
  /** Float32 inputs (and int32 or uint8 ones, which are passed on as they are). */
  inputs: Tensors;
  /** The op; called with the inputs in float32 or float64. */
  run: (inputs: Tensors) => Tensor | Tensors;
  /** Inputs to differentiate by; default: every float32 input. `[]` for none. */
  wrt?: readonly string[];
  /** Outputs whose gradients flow back; default: every float output. */
  upstream?: readonly string[];
  /** Largest error of outputs and gradients relative to the largest expected value. Defaults 2e-6 and 5e-6. */
  tolerance?: number;
  gradTolerance?: number;
  /** Gradients are compared, but not with finite differences: for kinks and non-finite inputs. */
  skipFiniteDifferences?: boolean;
  /** The op takes some of its inputs as numbers of the host only: it cannot be asked with tensors on a card. */
  onHost?: boolean;
}

interface Result {
  outputs: Record<string, DataArray>;
  gradients: Record<string, DataArray>;
}

const isFloat = (tensor: Tensor) => tensor.dtype === 'float32' || tensor.dtype === 'float64';
const named = (result: Tensor | Tensors): Tensors => (result instanceof Tensor ? { out: result } : result);

/** How the inputs of a case are handed over; on the card, too, they may be views that start one element into their memory. */
type Variant = 'float32' | 'float64' | 'misaligned' | 'on the card' | 'misaligned on the card';

/** The input in float64, on the card, or (misaligned) as a view that starts one element into its buffer. */
function copyOf(tensor: Tensor, variant: Variant): Tensor {
  if (variant === 'float64' && tensor.dtype === 'float32') return Tensor.from(Float64Array.from(tensor.data), tensor.shape);
  if (variant === 'on the card') return tensor.to('cuda');
  if (variant === 'misaligned on the card') {
    const view = Tensor.empty([tensor.size + 1], tensor.dtype, 'cuda').rows(1, tensor.size + 1);
    view.set(tensor.data);
    return view.alias(tensor.shape);
  }
  if (variant !== 'misaligned') return Tensor.from(tensor.data.slice(), tensor.shape);
  const kind = tensor.data.constructor as new (length: number) => DataArray;
  const view = new kind(tensor.size + 1).subarray(1) as DataArray;
  view.set(tensor.data);
  return Tensor.from(view, tensor.shape);
}

function upstreamFor(name: string, output: Tensor): Tensor {
  const values = randomTensor(output.shape, 77 + name.length);
  if (output.device === 'cuda') return values.to('cuda');
  return output.dtype === 'float64' ? Tensor.from(Float64Array.from(values.data), output.shape) : values;
}

function wanted(opCase: OpCase): readonly string[] {
  return opCase.wrt ?? Object.keys(opCase.inputs).filter((name) => opCase.inputs[name]?.dtype === 'float32');
}

/** Runs the case once: its outputs, and the gradients of the sum of <upstream, output>. */
function evaluate(opCase: OpCase, variant: Variant): Result {
  return scope(() => {
    // Where sequences begin says how work is cut: the host reads it, wherever the tokens live.
    const given = (name: string) => (name === 'offsets' && variant.endsWith('on the card') ? 'float32' : variant);
    const inputs = Object.fromEntries(Object.entries(opCase.inputs).map(([name, tensor]) => [name, copyOf(tensor, given(name))]));
    const wrt = wanted(opCase);
    for (const name of wrt) inputs[name]?.requireGrad();
    const outputs = named(opCase.run(inputs));
    const gradients: Record<string, Float64Array> = {};
    const flowing = (opCase.upstream ?? Object.keys(outputs)).filter((name) => outputs[name]?.node);
    flowing.forEach((name, index) => {
      const output = outputs[name] as Tensor;
      const list = grad(
        output,
        wrt.map((input) => inputs[input] as Tensor),
        { upstream: upstreamFor(name, output), retainGraph: index + 1 < flowing.length, allowUnused: true },
      );
      list.forEach((gradient, at) => {
        const key = wrt[at] as string;
        gradients[key] ??= new Float64Array(gradient.size);
        const total = gradients[key];
        const { data } = gradient.to('cpu');
        for (let i = 0; i < total.length; i++) (total[i] as number) += data[i] as number;
      });
    });
    return {
      outputs: Object.fromEntries(Object.entries(outputs).map(([name, tensor]) => [name, tensor.to('cpu').data.slice()])),
      gradients,
    };
  });
}

/** <upstream, outputs> as a function of the inputs, in float64. */
function objective(opCase: OpCase, inputs: Tensors): number {
  return scope(() => {
    const outputs = noGrad(() => named(opCase.run(inputs)));
    let total = 0;
    for (const name of opCase.upstream ?? Object.keys(outputs)) {
      const output = outputs[name] as Tensor;
      if (!isFloat(output)) continue;
      const g = upstreamFor(name, output).data;
      for (let i = 0; i < g.length; i++) total += (g[i] as number) * (output.data[i] as number);
    }
    return total;
  });
}

/** Directional derivative of one input by central differences, against the gradient's own. */
export function finiteDifferenceError(opCase: OpCase, input: string, gradient: DataArray, step = 1e-6): number {
  const inputs = Object.fromEntries(Object.entries(opCase.inputs).map(([name, tensor]) => [name, copyOf(tensor, 'float64')]));
  const direction = randomTensor((opCase.inputs[input] as Tensor).shape, 991).data;
  const at = (scale: number): number => {
    const moved = copyOf(inputs[input] as Tensor, 'float64');
    for (let i = 0; i < direction.length; i++) (moved.data[i] as number) += scale * (direction[i] as number);
    return objective(opCase, { ...inputs, [input]: moved });
  };
  const measured = (8 * (at(step) - at(-step)) - (at(2 * step) - at(-2 * step))) / (12 * step);
  let claimed = 0;
  let scale = 0;
  for (let i = 0; i < direction.length; i++) {
    const term = (direction[i] as number) * (gradient[i] as number);
    claimed += term;
    scale += Math.abs(term);
  }
  return Math.abs(measured - claimed) / Math.max(scale, Math.abs(measured), 1e-3);
}

function compare(t: Test, label: string, actual: Record<string, DataArray>, expected: Record<string, DataArray>, tolerance: number): void {
  for (const [name, want] of Object.entries(expected)) {
    const error = relativeError(actual[name] as DataArray, want, 1e-6);
    if (!(error <= tolerance)) t.fail(`${label}: ${name} is off by ${error.toExponential(2)} (tolerance ${tolerance})`);
  }
}

function runOn(backend: TestBackend, threads: number, opCase: OpCase, variant: Variant): Result {
  return onBackend(backend, threads, () => evaluate(opCase, variant));
}

function checkCase(t: Test, opCase: OpCase): void {
  const oracle = onBackend({ name: 'oracle', backend: 'reference' }, 1, () => evaluate(opCase, 'float64'));
  if (!opCase.skipFiniteDifferences && proves('reference')) {
    onBackend({ name: 'oracle', backend: 'reference' }, 1, () => {
      for (const name of wanted(opCase)) {
        const gradient = oracle.gradients[name];
        if (!gradient) continue;
        const error = finiteDifferenceError(opCase, name, gradient);
        if (!(error < 1e-6))
          t.fail(`${opCase.name}: reference gradient of ${name} differs from finite differences by ${error.toExponential(2)}`);
      }
    });
  }
  for (const backend of testBackends()) {
    const label = `${opCase.name} on ${backend.name}`;
    const first = runOn(backend, 1, opCase, 'float32');
    compare(t, `${label}: output`, first.outputs, oracle.outputs, opCase.tolerance ?? 2e-6);
    compare(t, `${label}: gradient`, first.gradients, oracle.gradients, opCase.gradTolerance ?? 5e-6);
    if (backend.backend === 'reference') continue;
    const again: [string, Result][] = [];
    // On a card, tensors that live there are the second run.
    if (backend.backend === 'cpu' || opCase.onHost) again.push(['a second run', runOn(backend, 1, opCase, 'float32')]);
    if (backend.backend === 'cpu') {
      again.push(['2 threads', runOn(backend, 2, opCase, 'float32')], ['4 threads', runOn(backend, 4, opCase, 'float32')]);
      again.push(['misaligned views', runOn(backend, 2, opCase, 'misaligned')]);
    } else if (!opCase.onHost) {
      // What vectors of memory are read in may differ, and with it the order of a sum: values are asked for, not bits.
      again.push(['tensors on the card', runOn(backend, 1, opCase, 'on the card')]);
      const shifted = runOn(backend, 1, opCase, 'misaligned on the card');
      compare(t, `${label}, misaligned there: output`, shifted.outputs, oracle.outputs, opCase.tolerance ?? 2e-6);
      compare(t, `${label}, misaligned there: gradient`, shifted.gradients, oracle.gradients, opCase.gradTolerance ?? 5e-6);
    }
    for (const [what, result] of again) {
      for (const kind of ['outputs', 'gradients'] as const) {
        for (const [name, bits] of Object.entries(first[kind])) {
          if (!sameBits(bits, result[kind][name] as DataArray)) t.fail(`${label}: ${what} changes the bits of ${kind} ${name}`);
        }
      }
    }
  }
}

/** Tests an op on every case, backend, instruction set and thread count. */
export function testOp(t: Test, cases: readonly OpCase[]): void {
  const { arena } = context;
  const poisoned = arena.poison;
  arena.poison = true; // an output that a kernel leaves unwritten shows as NaN
  try {
    for (const opCase of cases) {
      checkCase(t, opCase);
      t.pass(opCase.name);
    }
  } finally {
    arena.poison = poisoned;
  }
}
