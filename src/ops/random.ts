import { mismatch } from '../errors.js';
import { kernel } from '../native/call.js';
import type { Device } from '../native/device.js';
import type { FloatArray } from '../tensor/arena.js';
import type { Shape } from '../tensor/shape.js';
import { Tensor } from '../tensor/tensor.js';
import { uniformAt } from './philox.js';

/**
 * Names one sequence of random numbers: the same key gives the same numbers, on any device and with any number of threads. A
 * training run uses its seed, the step it is at, and one stream per place in the model that draws.
 */
export interface RandomKey {
  /** Integer from 0 to 2^32 - 1. */
  seed: number;
  /** Integer from 0 to 2^32 - 1. */
  step: number;
  /** Integer from 0 to 2^32 - 1. Default 0. */
  stream?: number;
}

interface RandomParams {
  distribution: number;
  seed: number;
  step: number;
  stream: number;
  n: number;
  y: FloatArray;
}

const UNIFORM = 0;
const NORMAL = 1;

/** Elements 0..31 of a group of 64 are radii, 32..63 the angles that belong to them (Box and Muller 1958). */
const randomKernel = kernel<RandomParams>('random', ({ distribution, seed, step, stream, n, y }) => {
  for (let i = 0; i < n; i++) {
    if (distribution === UNIFORM) {
      y[i] = uniformAt(seed, step, stream, i);
      continue;
    }
    const first = i - (i % 64) + (i % 32);
    const radius = Math.sqrt(-2 * Math.log(uniformAt(seed, step, stream, first) + 2 ** -24));
    const angle = 2 * Math.PI * uniformAt(seed, step, stream, first + 32);
    y[i] = radius * (i % 64 < 32 ? Math.cos(angle) : Math.sin(angle));
  }
});

/** The key with its default filled in; throws where a part is not a uint32. */
export function checkKey(op: string, { seed, step, stream = 0 }: RandomKey): Required<RandomKey> {
  for (const [name, value] of Object.entries({ seed, step, stream })) {
    if (!Number.isInteger(value) || value < 0 || value > 0xffffffff) {
      throw mismatch('UAM_ARGUMENT', `${op}: ${name}`, 'an integer from 0 to 4294967295', String(value));
    }
  }
  return { seed, step, stream };
}

function draw(op: string, distribution: number, shape: Shape, key: RandomKey, device?: Device): Tensor {
  const y = Tensor.empty(shape, 'float32', device);
  randomKernel({ distribution, ...checkKey(op, key), n: y.size, y: y.memory as FloatArray });
  return y;
}

/**
 * Numbers uniform in [0, 1), multiples of 2^-24, from the counter-based generator Philox4x32-10 (Salmon et al. 2011).
 *
 * @param device where they are drawn, and stay; default the CPU
 * @throws UamError `UAM_ARGUMENT` for a key that is not made of integers from 0 to 2^32 - 1
 * @example randomUniform([2, 3], { seed: 1, step: 0 });
 */
export const randomUniform = (shape: Shape, key: RandomKey, device?: Device): Tensor => draw('randomUniform', UNIFORM, shape, key, device);

/** Numbers of mean 0 and variance 1; otherwise as `randomUniform`. @example randomNormal([4], { seed: 1, step: 0, stream: 7 }); */
export const randomNormal = (shape: Shape, key: RandomKey, device?: Device): Tensor => draw('randomNormal', NORMAL, shape, key, device);
