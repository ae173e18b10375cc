import { UamError } from '../errors.js';
import type { Device } from '../native/device.js';
import type { Initializer } from '../nn/initializer.js';
import type { TokenLayout } from '../nn/layout.js';
import { Linear } from '../nn/linear.js';
import { add } from '../ops/binary.js';
import { gather } from '../ops/gather_rows.js';
import { geluErf } from '../ops/unary.js';
import type { Dtype } from '../tensor/arena.js';
import { bring } from '../tensor/bring.js';
import { Tensor } from '../tensor/tensor.js';
import { type Arrangement, inverse } from './arrangement.js';
import type { CellBatch } from './cell_batch.js';
import { evenOffsets, Tokeniser, type Tokens } from './tokeniser.js';

/** Wavelengths of the code of places, in micrometres, evenly on a logarithmic scale. */
const WAVES = 16;
const SHORTEST = 4;
const LONGEST = 4096;

/** Sines and cosines of x and y at every wavelength: [points, 4 * 16]. */
export function placeCode(points: Float64Array, dtype: Dtype = 'float32', device: Device = 'cpu'): Tensor {
  const count = points.length / 2;
  const frequencies = Array.from({ length: WAVES }, (_, k) => (2 * Math.PI) / (SHORTEST * (LONGEST / SHORTEST) ** (k / (WAVES - 1))));
  const code = Tensor.empty([count, 4 * WAVES], dtype);
  const { data } = code;
  let at = 0;
  for (let i = 0; i < count; i++) {
    for (let axis = 0; axis < 2; axis++) {
      const place = points[2 * i + axis] as number;
      for (const frequency of frequencies) {
        data[at] = Math.sin(frequency * place);
        data[at + WAVES] = Math.cos(frequency * place);
        at++;
      }
      at += WAVES;
    }
  }
  return bring(code, device);
}

/** Features and marks of missing ones side by side, row by row in another order: [cells, 2 * features]. */
function withMarks({ features, missing }: CellBatch, order?: Int32Array): Tensor {
  const [cells, width] = features.shape as [number, number];
  const inputs = Tensor.zeros([cells, 2 * width], features.dtype);
  for (let row = 0; row < cells; row++) {
    const cell = order ? (order[row] as number) : row;
    const target = inputs.data as Float32Array;
    target.set(features.data.subarray(cell * width, (cell + 1) * width), row * 2 * width);
    if (missing) target.set(missing.data.subarray(cell * width, (cell + 1) * width), (row * 2 + 1) * width);
  }
  return inputs;
}

/** The token of a cell from its features: `first` and `second`, with a GELU between. */
class FeaturePerceptron {
  constructor(
    readonly first: Linear,
    readonly second: Linear,
  ) {}

  forward(inputs: Tensor): Tensor {
    return this.second.forward(geluErf(this.first.forward(inputs)));
  }
}

/**
 * A token per cell: a cell is a sequence of one token, W2 GELU(W1 [x; missing] + b1) + b2. What an `mlp` works on; the other
 * architectures take it too. Parameters: `first.weight` (2 features, width), `first.bias`, `second.weight`, `second.bias`.
 *
 * @example
 * const tokeniser = new VectorTokens(102, 64, new Initializer(1));
 * tokeniser.forward({ features: Tensor.zeros([5, 102]) }).x.shape;   // [5, 64]
 */
export class VectorTokens extends Tokeniser {
  readonly #perceptron: FeaturePerceptron;

  constructor(features: number, width: number, start: Initializer) {
    super(features);
    const first = this.child('first', new Linear(2 * features, width, start));
    this.#perceptron = new FeaturePerceptron(first, this.child('second', new Linear(width, width, start)));
  }

  forward(batch: CellBatch): Tokens {
    const cells = this.checkFeatures(batch);
    const x = this.#perceptron.forward(bring(withMarks(batch), this.device));
    return { x, layout: { offsets: evenOffsets(cells, 1) }, readout: (states) => states };
  }
}

/**
 * A token per cell, a sequence per tile: W2 GELU(W1 [x; missing] + b1) + b2 + Wp code(place) + bp, with the sines and cosines of a
 * cell's place at 16 wavelengths from 4 to 4096 um. Cells are scanned along the Hilbert curve of their tile, in odd layers along the
 * one with x and y exchanged; attention sees the neighbours of the batch's arrangement. Parameters: those of `VectorTokens`, and
 * `place.weight` (64, width), `place.bias`.
 *
 * @example
 * const tokeniser = new CellTokens(102, 64, new Initializer(1));
 * const arrangement = arrange(Float64Array.of(0, 0, 10, 0, 10, 10));
 * tokeniser.forward({ features: Tensor.zeros([3, 102]), arrangement }).x.shape;   // [3, 64]
 */
export class CellTokens extends Tokeniser {
  readonly #perceptron: FeaturePerceptron;
  readonly #place: Linear;
  readonly #radius: number;

  /** @param radius at which the bias of attention counts a distance as 1, in micrometres */
  constructor(features: number, width: number, start: Initializer, radius = 64) {
    super(features);
    this.#radius = radius;
    const first = this.child('first', new Linear(2 * features, width, start));
    this.#perceptron = new FeaturePerceptron(first, this.child('second', new Linear(width, width, start)));
    this.#place = this.child('place', new Linear(4 * WAVES, width, start));
  }

  /** @throws UamError `UAM_ARGUMENT` for a batch without arrangement */
  forward(batch: CellBatch): Tokens {
    this.checkFeatures(batch);
    const { arrangement } = batch;
    if (!arrangement)
      throw new UamError('UAM_ARGUMENT', 'cell tokens need the cells\u2019 places: give the batch an arrangement (arrange)');
    const { dtype } = batch.features;
    const { device } = this;
    const ofFeatures = this.#perceptron.forward(bring(withMarks(batch, arrangement.order), device));
    const x = add(ofFeatures, this.#place.forward(placeCode(arrangement.points, dtype, device)));
    const rows = Tensor.from(arrangement.rows, undefined, device);
    return { x, layout: this.#layoutOf(arrangement, dtype), readout: (states) => gather(states, rows) };
  }

  #layoutOf({ tiles, oddOrder, near }: Arrangement, dtype: Dtype): TokenLayout {
    const there = (list: Int32Array) => Tensor.from(list, undefined, this.device);
    const distances = Tensor.empty([near.distances.length], dtype);
    const radius = this.#radius; // a loop over numbers: there are some 60 per cell
    for (let edge = 0; edge < near.distances.length; edge++) distances.data[edge] = (near.distances[edge] as number) / radius;
    return {
      offsets: tiles,
      oddOrder: { to: there(oddOrder), back: there(inverse(oddOrder)) },
      neighbours: { offsets: near.offsets, indices: there(near.indices), distances: bring(distances, this.device) },
    };
  }
}
