// ONNX Runtime on the CPU, through its Node package. Inputs and outputs are made once; a call is session.run alone.
import { createRequire } from 'node:module';
import { build, random } from './onnx_graphs.mjs';
import { serve, unavailable } from './serve.mjs';

const { InferenceSession, Tensor } = await import('onnxruntime-node').catch(() => unavailable('its package is not installed'));

const product = (dims) => dims.reduce((a, b) => a * b, 1);
// Positive, so that log and sqrt do their usual work.
const tensor = (dims) =>
  new Tensor(
    'float32',
    random(product(dims)).map((x) => Math.abs(x) + 1e-3),
    dims,
  );

async function prepare(shape, threads) {
  const graph = build(shape);
  if (!graph) return null;
  const session = await InferenceSession.create(graph.bytes, {
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    executionMode: 'sequential',
  });
  const named = (entries) => Object.fromEntries(entries.map(([name, dims]) => [name, tensor(dims)]));
  const feeds = named(graph.inputs);
  const fetches = named(graph.outputs);
  return { run: () => session.run(feeds, fetches), release: () => session.release() };
}

const { version } = createRequire(import.meta.url)('onnxruntime-node/package.json');
await serve(`onnxruntime ${version}`, prepare);
