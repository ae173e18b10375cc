import type { Initializer } from '../nn/initializer.js';
import { Linear } from '../nn/linear.js';
import { broadcastTo } from '../ops/broadcast.js';
import { concat, reshape } from '../ops/copy_strided.js';
import { bring } from '../tensor/bring.js';
import { Tensor } from '../tensor/tensor.js';
import type { CellBatch } from './cell_batch.js';
import { type Readout, readCells } from './feature_tokens.js';
import { evenOffsets, Tokeniser, type Tokens } from './tokeniser.js';

/** Features per token, and the least number of tokens: 128 values, filled up with zeros. */
const CHUNK = 16;
const LEAST_CHUNKS = 8;

/**
 * A token per 16 features in order, filled up with zeros to 128 at least, and a learned token at the end, as the authors' public code
 * cuts them. A missing value counts as 0, the median. Parameters: `chunk.weight` (16, width), `chunk.bias`, `cls` (width).
 *
 * @example
 * const tokeniser = new ChunkTokens(102, 64, new Initializer(1));
 * tokeniser.forward({ features: Tensor.zeros([5, 102]) }).x.shape;   // [45, 64]: 5 cells of 9 tokens
 */
export class ChunkTokens extends Tokeniser {
  readonly #readout: Readout;
  readonly #chunks: number;
  readonly #linear: Linear;

  constructor(features: number, width: number, start: Initializer, readout: Readout = 'cls') {
    super(features);
    this.#readout = readout;
    this.#chunks = Math.max(LEAST_CHUNKS, Math.ceil(features / CHUNK));
    this.#linear = this.child('chunk', new Linear(CHUNK, width, start));
    this.parameter('cls', start.normal([width], 1), { decay: false });
  }

  forward(batch: CellBatch): Tokens {
    const cells = this.checkFeatures(batch);
    const filled = Tensor.zeros([cells, this.#chunks * CHUNK], batch.features.dtype);
    for (let i = 0; i < cells; i++) {
      const values = batch.features.data.subarray(i * this.features, (i + 1) * this.features);
      (filled.data as Float32Array).set(values, i * this.#chunks * CHUNK);
    }
    const tokens = this.#linear.forward(bring(reshape(filled, [cells, this.#chunks, CHUNK]), this.device));
    const cls = this.get('cls');
    const x = concat([tokens, broadcastTo(cls, [cells, 1, cls.size])], 1);
    const length = this.#chunks + 1;
    return {
      x: reshape(x, [cells * length, cls.size]),
      layout: { offsets: evenOffsets(cells, length) },
      readout: (states) => readCells(states, cells, length, this.#readout),
    };
  }
}
