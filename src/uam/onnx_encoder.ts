// An encoder from an ONNX file, run by onnxruntime-node where the user has installed that. Its weights stay as they are.
import { createHash } from 'node:crypto';
import { dirname, join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { mismatch, UamError } from '../errors.js';
import type { RasterImage } from '../image/image.js';
import { runtimeInfo } from '../native/device.js';
import { permute, slice } from '../ops/copy_strided.js';
import { noGrad } from '../tensor/context.js';
import { scope } from '../tensor/scope.js';
import { Tensor } from '../tensor/tensor.js';
import { checkDescribed, Description, levelOf } from './description.js';
import { type FeatureLevel, type ImageFeatures, imageBatch, type LevelShape, levelLength, type PixelScale } from './image_features.js';
import { fileHash } from './image_hash.js';

/** What we use of onnxruntime-node. */
interface OnnxTensor {
  readonly type: string;
  readonly data: unknown;
  readonly dims: readonly number[];
}
interface OnnxSession {
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  run(feeds: Record<string, OnnxTensor>, fetches: readonly string[]): Promise<Record<string, OnnxTensor>>;
  release(): Promise<void>;
}
export interface OnnxRuntime {
  InferenceSession: { create(path: string, options?: object): Promise<OnnxSession> };
  Tensor: new (type: 'float32', data: Float32Array, dims: readonly number[]) => OnnxTensor;
}

export interface OnnxEncoderOptions {
  /** The module `onnxruntime-node`, where it cannot be found from this package. Default: it is imported. */
  runtime?: OnnxRuntime | undefined;
  signal?: AbortSignal | undefined;
}

/** What the description of an encoder says. */
interface OnnxDescription {
  model: string;
  /** The file of the graph, then those of weights that lie outside of it. */
  files: string[];
  input: string;
  height: number;
  width: number;
  scale: PixelScale;
  levels: (LevelShape & { output: string })[];
}

const FORMAT = 'uam-onnx-encoder-1';

async function readDescription(path: string): Promise<OnnxDescription> {
  const all = await Description.read(path);
  if (all.text('format') !== FORMAT) all.fail('format', `"${FORMAT}"`);
  const beside = (name: string) => join(dirname(path), name);
  const model = beside(all.file('model'));
  const triple = (key: string) => all.numbers(key, 3) as [number, number, number];
  const found = {
    model,
    files: [model, ...(all.has('weights') ? all.parts('weights').map((entry) => beside(entry.file('file'))) : [])],
    input: all.text('input'),
    height: all.number('height', { whole: true, most: 65536 }),
    width: all.number('width', { whole: true, most: 65536 }),
    scale: { mean: triple('mean'), std: triple('std') },
    levels: all.parts('levels').map((entry) => {
      const level = { ...levelOf(entry), output: entry.text('output') };
      entry.done();
      return level;
    }),
  };
  all.done();
  if (!found.scale.std.every((value) => value > 0)) all.fail('std', 'numbers above 0');
  checkDescribed(found.levels, path);
  const coarsest = found.levels.at(-1)?.stride as number;
  if (found.height % coarsest !== 0 || found.width % coarsest !== 0) {
    throw new UamError('UAM_FORMAT', `${path}: height and width must be multiples of the coarsest stride, ${coarsest}`);
  }
  return found;
}

async function importRuntime(): Promise<OnnxRuntime> {
  const name: string = 'onnxruntime-node'; // not a literal type: it need not be there when this package is built
  try {
    const module = (await import(name)) as OnnxRuntime & { default?: OnnxRuntime };
    return module.InferenceSession ? module : (module.default as OnnxRuntime);
  } catch (error) {
    const text =
      'ONNX encoders need the package onnxruntime-node, which is not installed with this one (it takes about 300 MB): ' +
      `run "npm install onnxruntime-node" in your project. (${(error as Error).message.split('\n')[0]})`;
    throw new UamError('UAM_ADDON', text, { cause: error });
  }
}

/**
 * An image encoder from an ONNX file: `await OnnxEncoder.open('encoder.json')`. The JSON file names the graph, its input and outputs, the
 * size and scaling of the image and the stride and channels of each output; docs/image_features.md shows one. Weights are never changed;
 * a joint model trains 1x1 adapters on what comes out. Nothing is downloaded.
 *
 * @example
 * const encode = async (image: RasterImage) => {
 *   const encoder = await OnnxEncoder.open('encoder.json');
 *   try {
 *     return await encoder.encode(image);
 *   } finally {
 *     await encoder.close();
 *   }
 * };
 */
export class OnnxEncoder {
  readonly levels: readonly LevelShape[];
  readonly #runtime: OnnxRuntime;
  readonly #session: OnnxSession;
  readonly #description: OnnxDescription;
  #running: Promise<unknown> = Promise.resolve();

  private constructor(
    runtime: OnnxRuntime,
    session: OnnxSession,
    description: OnnxDescription,
    /** SHA-256 of the graph, its weights and the settings of its description: what a joint model remembers of its encoder. */
    readonly modelHash: string,
  ) {
    this.#runtime = runtime;
    this.#session = session;
    this.#description = description;
    this.levels = description.levels.map(({ name, stride, channels }) => ({ name, stride, channels }));
  }

  /**
   * @param path of the description
   * @throws UamError `UAM_ADDON` where onnxruntime-node is not installed, `UAM_INPUT` where a file cannot be read, `UAM_FORMAT` where the
   *   description or the graph is not sound or they do not fit each other
   */
  static async open(path: string, { runtime, signal }: OnnxEncoderOptions = {}): Promise<OnnxEncoder> {
    const description = await readDescription(path);
    const found = runtime ?? (await importRuntime());
    const { model, files, input, levels, height, width, scale } = description;
    // What the image goes through before the graph makes another encoder, too.
    const settings = JSON.stringify([await fileHash(files, signal), height, width, scale, levels]);
    const hash = createHash('sha256').update(settings).digest('hex');
    let session: OnnxSession;
    try {
      const threads = { intraOpNumThreads: runtimeInfo().threads, interOpNumThreads: 1, executionMode: 'sequential' };
      session = await found.InferenceSession.create(model, { ...threads, executionProviders: ['cpu'] });
    } catch (error) {
      throw new UamError('UAM_FORMAT', `${model}: onnxruntime-node cannot load it: ${(error as Error).message}`, { cause: error });
    }
    const missing = levels.find(({ output }) => !session.outputNames.includes(output));
    if (missing || session.inputNames.length !== 1 || session.inputNames[0] !== input) {
      await session.release();
      const has = `inputs ${session.inputNames.join(', ')} and outputs ${session.outputNames.join(', ')}`;
      const wanted = `the one input ${input} and outputs ${levels.map(({ output }) => output).join(', ')}`;
      throw new UamError('UAM_FORMAT', `${model}: it has ${has}, and ${path} names ${wanted}`);
    }
    return new OnnxEncoder(found, session, description, hash);
  }

  /**
   * The maps of one image. A smaller image is filled up with its last row and column, and the maps are cut to it.
   *
   * @param options `mpp`: micrometres per pixel, whatever the image says; `origin`: see `ImagePlace`
   * @throws UamError `UAM_SHAPE` for an image larger than the encoder's input; `UAM_DATA` where the pixel size is not known or a map holds
   *   numbers that are not finite; `UAM_FORMAT` where the graph's outputs are not those of its description
   */
  async encode(image: RasterImage, options: { mpp?: number | undefined; origin?: Float64Array | undefined } = {}): Promise<ImageFeatures> {
    const { height, width, input, scale, levels } = this.#description;
    if (image.height > height || image.width > width) {
      const fix = 'cut it into tiles';
      throw mismatch(
        'UAM_SHAPE',
        `ONNX encoder: ${image.name ?? 'an image'}`,
        `at most ${width} x ${height}`,
        `${image.width} x ${image.height}`,
        fix,
      );
    }
    const padded = { ...image, ...filledUp(image, height, width) };
    const { pixels, mpp, origin } = imageBatch([padded], { ...options, multiple: 1, scale });
    const channelsFirst = noGrad(() => permute(pixels, [0, 3, 1, 2]));
    const feed = new this.#runtime.Tensor('float32', channelsFirst.data as Float32Array, [1, 3, height, width]);
    // One at a time: the session uses all threads anyway.
    const run = this.#running.then(() =>
      this.#session.run(
        { [input]: feed },
        levels.map(({ output }) => output),
      ),
    );
    this.#running = run.catch(() => {});
    try {
      const results = await run;
      const maps: FeatureLevel[] = [];
      for (const level of levels) {
        maps.push(this.#mapOf(results[level.output] as OnnxTensor, level, image));
        await turn(); // maps are large: others get theirs in between
      }
      return { levels: maps, height: image.height, width: image.width, mpp, origin, modelHash: this.modelHash };
    } finally {
      pixels.dispose();
      channelsFirst.dispose();
    }
  }

  #mapOf(
    { type, data, dims }: OnnxTensor,
    { name, stride, channels, output }: OnnxDescription['levels'][number],
    image: RasterImage,
  ): FeatureLevel {
    const { height, width, model, levels } = this.#description;
    const expected = [1, channels, height / stride, width / stride];
    if (type !== 'float32' || !(data instanceof Float32Array) || dims.length !== 4 || !dims.every((n, i) => n === expected[i])) {
      throw mismatch('UAM_FORMAT', `${model}: output ${output}`, `float32 [${expected.join(', ')}]`, `${type} [${dims.join(', ')}]`);
    }
    if (!allFinite(data)) throw new UamError('UAM_DATA', `${model}: output ${output} holds numbers that are not finite`);
    const coarsest = levels.at(-1)?.stride as number;
    const size = { height: levelLength(image.height, stride, coarsest), width: levelLength(image.width, stride, coarsest) };
    const tensor = scope(() =>
      noGrad(() => slice(permute(Tensor.from(data, expected), [0, 2, 3, 1]), [0, 0, 0, 0], [1, size.height, size.width, channels])),
    );
    return { name, stride, channels, ...size, tensor };
  }

  /** Lets go of the session's memory, once what is running has ended. */
  async close(): Promise<void> {
    await this.#running;
    await this.#session.release();
  }
}

/** Whether all of the numbers are: 0 times anything else is NaN, and stays it. */
function allFinite(data: Float32Array): boolean {
  let zero = 0;
  for (let i = 0; i < data.length; i++) zero += 0 * (data[i] as number);
  return zero === 0;
}

/** An image of this size whose last row and column go on. */
function filledUp(
  { data, channels, ...image }: RasterImage,
  height: number,
  width: number,
): Pick<RasterImage, 'data' | 'height' | 'width'> {
  if (image.height === height && image.width === width) return { data, height, width };
  const out = new (data.constructor as new (length: number) => typeof data)(height * width * channels);
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const from = (Math.min(y, image.height - 1) * image.width + Math.min(x, image.width - 1)) * channels;
      for (let c = 0; c < channels; c++) out[at++] = data[from + c] as number;
    }
  }
  return { data: out, height, width };
}
