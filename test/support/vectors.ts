// Runs any folder in the format of shared/vectors/ops: cases {id, op, attrs, inputs, outputs, upstream, grads} in index.json,
// each array a .npy file. Fixtures are the same in one gzipped JSON file.
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { type DataArray, grad, scope, Tensor } from '../../src/index.js';
import { adapters } from './adapters.js';
import { relativeError } from './near.js';
import { type NpyArray, parseNpy } from './npy.js';

export type Attributes = Record<string, unknown>;
export type Tensors = Record<string, Tensor>;

/**
 * Calls the package's op with a case's inputs (in the vectors' own layout) and returns the outputs that the vectors list, in their
 * layout, so that gradients reach the inputs as they stand in the case.
 */
export type Adapter = (inputs: Tensors, attributes: Attributes) => Tensors;

interface ArrayEntry {
  file: string;
  dtype: string;
  shape: number[];
}

export interface VectorCase {
  id: string;
  op: string;
  attrs: Attributes;
  inputs: Record<string, ArrayEntry>;
  outputs: Record<string, ArrayEntry>;
  upstream: Record<string, ArrayEntry>;
  grads: Record<string, ArrayEntry>;
}

export interface VectorFolder {
  cases: VectorCase[];
  read(entry: ArrayEntry): NpyArray;
  /** The error of plain float32 per op: tolerances are four times that, and never below 1e-6. */
  float32Error: Record<string, { out: number; grad: number }>;
}

export interface CaseResult {
  id: string;
  op: string;
  passed: boolean;
  worst: number;
  tolerance: number;
  message: string;
}

/** Whole layers: 2e-5 on outputs and 1e-4 on gradients, four times these (shared/vectors/README.md). */
const wholeLayers = Object.fromEntries(['amamba', 'amamba_moe'].map((op) => [op, { out: 5e-6, grad: 2.5e-5 }]));

export function openFolder(folder: string): VectorFolder {
  const index = join(folder, 'index.json');
  if (!existsSync(index)) throw new Error(`${folder} holds no index.json`);
  const errors = [folder, join(dirname(folder), 'ops')].map((at) => join(at, 'float32_error.json')).find(existsSync);
  return {
    cases: JSON.parse(readFileSync(index, 'utf8')).cases,
    read: (entry) => parseNpy(readFileSync(join(folder, entry.file))),
    float32Error: { ...wholeLayers, ...(errors ? JSON.parse(readFileSync(errors, 'utf8')) : {}) },
  };
}

/** The compact copy that scripts/pack_vectors.mjs made. */
export function openFixture(file: string): VectorFolder {
  const { cases, float32Error, files } = JSON.parse(gunzipSync(readFileSync(file)).toString('utf8'));
  return { cases, float32Error: { ...wholeLayers, ...float32Error }, read: (entry) => parseNpy(Buffer.from(files[entry.file], 'base64')) };
}

function tensorOf({ data, shape }: NpyArray): Tensor {
  return Tensor.from(data, shape);
}

const largest = (data: ArrayLike<number>) => Array.from(data).reduce((a, b) => Math.max(a, Number.isFinite(b) ? Math.abs(b) : 0), 0);

/** Error against the tolerance. Where what is expected is far below the inputs' scale, an absolute 1e-6 counts instead. */
function judge(actual: DataArray, expected: DataArray, tolerance: number, inputScale: number): { error: number; ok: boolean } {
  const magnitude = largest(expected);
  if (magnitude < 1e-5 * inputScale) {
    const absolute = relativeError(actual, expected, 1) * Math.max(1, magnitude);
    return { error: absolute, ok: absolute <= 1e-6 * Math.max(1, inputScale) };
  }
  const error = relativeError(actual, expected);
  return { error, ok: error <= tolerance };
}

export function runCase(folder: VectorFolder, vectorCase: VectorCase): CaseResult {
  const { id, op, attrs } = vectorCase;
  const listed = folder.float32Error[op];
  const outTolerance = Math.max(1e-6, 4 * (listed?.out ?? 0));
  // A listed error as large as the values (attention's, from gradients that vanish) would accept anything; 1e-4 is asked there,
  // which is what the specification asks of gradients of whole layers.
  const gradTolerance = listed && listed.grad > 0.1 ? 1e-4 : Math.max(1e-6, 4 * (listed?.grad ?? 0));
  const result: CaseResult = { id, op, passed: true, worst: 0, tolerance: Math.max(outTolerance, gradTolerance), message: '' };
  const adapter = adapters[op];
  if (!adapter) return { ...result, passed: false, worst: Number.POSITIVE_INFINITY, message: `unknown op ${op}` };
  const fail = (message: string) => {
    result.passed = false;
    result.message ||= message;
  };
  try {
    scope(() => {
      const inputs = Object.fromEntries(Object.entries(vectorCase.inputs).map(([name, entry]) => [name, tensorOf(folder.read(entry))]));
      const inputScale = Math.max(...Object.values(inputs).map((input) => (input.dtype === 'float32' ? largest(input.data) : 0)));
      const wrt = Object.keys(vectorCase.grads);
      for (const name of wrt) inputs[name]?.requireGrad();
      const outputs = adapter(inputs, attrs);
      for (const [name, entry] of Object.entries(vectorCase.outputs)) {
        const output = outputs[name];
        if (!output) {
          fail(`output ${name} is missing`);
          continue;
        }
        if (output.shape.join() !== entry.shape.join()) fail(`output ${name} has shape [${output.shape}], expected [${entry.shape}]`);
        const { error, ok } = judge(output.data, folder.read(entry).data, outTolerance, inputScale);
        result.worst = Math.max(result.worst, error);
        if (!ok) fail(`output ${name} is off by ${error.toExponential(2)} (tolerance ${outTolerance.toExponential(2)})`);
      }
      if (wrt.length === 0) return;
      const totals = new Map<string, Float64Array>();
      const flowing = Object.entries(vectorCase.upstream).filter(([name]) => outputs[name]?.node);
      flowing.forEach(([name, entry], index) => {
        const list = grad(
          outputs[name] as Tensor,
          wrt.map((input) => inputs[input] as Tensor),
          { upstream: tensorOf(folder.read(entry)), retainGraph: index + 1 < flowing.length, allowUnused: true },
        );
        list.forEach((gradient, at) => {
          const key = wrt[at] as string;
          const total = totals.get(key) ?? new Float64Array(gradient.size);
          totals.set(key, total);
          for (let i = 0; i < total.length; i++) (total[i] as number) += gradient.data[i] as number;
        });
      });
      for (const name of wrt) {
        const expected = folder.read(vectorCase.grads[name] as ArrayEntry).data;
        const actual = Float32Array.from(totals.get(name) ?? new Float64Array(expected.length));
        const { error, ok } = judge(actual, expected, gradTolerance, inputScale);
        result.worst = Math.max(result.worst, error);
        if (!ok) fail(`gradient of ${name} is off by ${error.toExponential(2)} (tolerance ${gradTolerance.toExponential(2)})`);
      }
    });
  } catch (error) {
    fail((error as Error).stack ?? String(error));
  }
  return result;
}
