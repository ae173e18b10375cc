import type { Device } from '../native/device.js';
import type { Initializer } from '../nn/initializer.js';
import { add, mul } from '../ops/binary.js';
import { concat, reshape, slice } from '../ops/copy_strided.js';
import { mean } from '../ops/reduce.js';
import { where } from '../ops/where.js';
import { bring } from '../tensor/bring.js';
import { Tensor } from '../tensor/tensor.js';
import type { CellBatch } from './cell_batch.js';
import { evenOffsets, Tokeniser, type Tokens } from './tokeniser.js';

/** Which states stand for a cell: that of the token added at the end, or the mean of all. */
export type Readout = 'cls' | 'mean';

/** The states of cells from `length` tokens each. */
export function readCells(states: Tensor, cells: number, length: number, readout: Readout): Tensor {
  const width = states.shape[1] as number;
  const perCell = reshape(states, [cells, length, width]);
  if (readout === 'mean') return mean(perCell, { axis: 1 });
  return reshape(slice(perCell, [0, length - 1], [cells, length]), [cells, width]);
}

/** A last entry of zeros along the columns of a uint8 or float tensor [rows, columns] of the host: none of it is differentiated. */
function withColumn(x: Tensor, device: Device): Tensor {
  const [rows, columns] = x.shape as [number, number];
  const out = Tensor.zeros([rows, columns + 1], x.dtype);
  for (let i = 0; i < rows; i++) (out.data as Float32Array).set(x.data.subarray(i * columns, (i + 1) * columns), i * (columns + 1));
  return bring(out, device);
}

/**
 * A token per feature: a cell is a sequence of t_j = x_j `weight`_j + `bias`_j, or `missing`_j where the value is missing, and of `cls`,
 * a learned token, at the end. Parameters: `weight`, `bias`, `missing` (features, width), `cls` (width).
 *
 * @example
 * const tokeniser = new FeatureTokens(102, 64, new Initializer(1));
 * const { x } = tokeniser.forward({ features: Tensor.zeros([5, 102]) });   // 5 cells of 103 tokens
 */
export class FeatureTokens extends Tokeniser {
  readonly #readout: Readout;

  constructor(features: number, width: number, start: Initializer, readout: Readout = 'cls') {
    super(features);
    this.#readout = readout;
    // Value and feature have equal parts in a token, and a token has variance 1, as what the layers add has.
    const sigma = Math.SQRT1_2;
    for (const name of ['weight', 'bias', 'missing']) this.parameter(name, start.normal([features, width], sigma), { decay: false });
    this.parameter('cls', start.normal([width], 1), { decay: false });
  }

  forward(batch: CellBatch): Tokens {
    const cells = this.checkFeatures(batch);
    const length = this.features + 1;
    const width = this.get('cls').size;
    // The last token is a feature of value 0 whose bias is `cls`: no tokens are copied together.
    const row = (x: Tensor) => reshape(x, [1, width]);
    const bias = concat([this.get('bias'), row(this.get('cls'))]);
    const weight = concat([this.get('weight'), Tensor.zeros([1, width], bias.dtype, bias.device)]);
    const values = reshape(withColumn(batch.features, bias.device), [cells, length, 1]);
    const present = add(mul(values, weight), bias);
    const x = batch.missing ? this.#replace(present, batch.missing, row) : present;
    return {
      x: reshape(x, [cells * length, width]),
      layout: { offsets: evenOffsets(cells, length) },
      readout: (states) => readCells(states, cells, length, this.#readout),
    };
  }

  #replace(present: Tensor, missing: Tensor, row: (x: Tensor) => Tensor): Tensor {
    const [cells, length] = present.shape as [number, number];
    const instead = concat([this.get('missing'), row(this.get('cls'))]);
    return where(reshape(withColumn(missing, present.device), [cells, length, 1]), instead, present);
  }
}
