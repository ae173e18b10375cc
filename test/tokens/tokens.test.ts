import t from 'tap';
import { noGrad, Tensor } from '../../src/index.js';
import { Initializer } from '../../src/nn/initializer.js';
import { arrange } from '../../src/tokens/arrangement.js';
import { cellBatch } from '../../src/tokens/cell_batch.js';
import { CellTokens, placeCode, VectorTokens } from '../../src/tokens/cell_tokens.js';
import { ChunkTokens } from '../../src/tokens/chunk_tokens.js';
import { FeatureTokens } from '../../src/tokens/feature_tokens.js';
import type { Tokeniser } from '../../src/tokens/tokeniser.js';
import { tokensConfig } from '../../src/tokens/tokens_config.js';
import { relativeError } from '../support/near.js';
import { randomTensor } from '../support/random.js';

const parameter = (module: Tokeniser, name: string) => new Map(module.namedParameters()).get(name) as Tensor;
const features = randomTensor([3, 5], 1);
const missing = Tensor.from(Uint8Array.of(0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 1, 1, 1, 1, 1), [3, 5]);

t.test('feature tokens, by their definition', async (t) => {
  const tokeniser = new FeatureTokens(5, 4, new Initializer(1));
  const { x, layout, readout } = noGrad(() => tokeniser.forward({ features, missing }));
  const [w, b, e, cls] = ['weight', 'bias', 'missing', 'cls'].map((name) => parameter(tokeniser, name).data) as [
    Float32Array,
    ...Float32Array[],
  ] as Float32Array[];
  t.same(x.shape, [18, 4]);
  t.same([...layout.offsets], [0, 6, 12, 18]);
  for (let cell = 0; cell < 3; cell++) {
    for (let f = 0; f <= 5; f++) {
      const expected = Array.from({ length: 4 }, (_, i) => {
        if (f === 5) return cls?.[i] as number;
        if (missing.data[cell * 5 + f]) return e?.[f * 4 + i] as number;
        return Math.fround(Math.fround((features.data[cell * 5 + f] as number) * (w?.[f * 4 + i] as number)) + (b?.[f * 4 + i] as number));
      });
      const row = x.data.subarray((cell * 6 + f) * 4, (cell * 6 + f + 1) * 4);
      t.ok(relativeError(row, expected) < 1e-6, `cell ${cell}, token ${f}`);
    }
  }
  t.same([...readout(x).data.subarray(4, 8)], [...(cls as Float32Array)], 'the last token stands for the cell');
  const averaged = new FeatureTokens(5, 4, new Initializer(1), 'mean').forward({ features });
  const first = averaged.readout(averaged.x).data[0] as number;
  const column = Array.from({ length: 6 }, (_, token) => averaged.x.data[token * 4] as number);
  t.ok(Math.abs(first - column.reduce((a, c) => a + c, 0) / 6) < 1e-6, 'or the mean of all');
  t.same(tokeniser.decays(), [false, false, false, false]);
});

t.test('chunks: 16 features a token, zeros to 128', async (t) => {
  const wide = randomTensor([2, 20], 3);
  const tokeniser = new ChunkTokens(20, 4, new Initializer(1));
  const { x } = noGrad(() => tokeniser.forward({ features: wide }));
  t.same(x.shape, [18, 4]);
  const weight = parameter(tokeniser, 'chunk.weight').data;
  const expected = Array.from({ length: 4 }, (_, o) =>
    Array.from({ length: 4 }, (_, i) => (wide.data[20 + 16 + i] as number) * (weight[i * 4 + o] as number)).reduce((a, b) => a + b, 0),
  );
  t.ok(relativeError(x.data.subarray(10 * 4, 11 * 4), expected) < 1e-5, 'the second chunk of the second cell holds 4 features');
  t.ok(
    x.data.subarray(11 * 4, 12 * 4).every((value) => value === 0),
    'the third holds none',
  );
  t.equal(new ChunkTokens(300, 4, new Initializer(1)).forward({ features: Tensor.zeros([1, 300]) }).x.shape[0], 20);
});

t.test('cell tokens: in the order of the scan, read out in that of the batch', async (t) => {
  const tokeniser = new CellTokens(5, 4, new Initializer(1));
  const vector = new VectorTokens(5, 4, new Initializer(1));
  for (const [name, tensor] of vector.namedParameters()) tensor.data.set(parameter(tokeniser, name).data as Float32Array);
  parameter(tokeniser, 'place.weight').data.fill(0);
  const arrangement = arrange(Float64Array.of(500, 500, 0, 0, 400, 20), Int32Array.of(0, 3));
  const { x, readout, layout } = noGrad(() => tokeniser.forward({ features, missing, arrangement }));
  const alone = noGrad(() => vector.forward({ features, missing }));
  t.notSame([...arrangement.order], [0, 1, 2]);
  t.ok(relativeError(readout(x).data, alone.x.data) < 1e-6);
  t.same([...alone.layout.offsets], [0, 1, 2, 3]);
  t.same([...layout.offsets], [0, 3]);
  t.throws(() => tokeniser.forward({ features }), { code: 'UAM_ARGUMENT', message: /arrangement/ });
  t.throws(() => tokeniser.forward({ features: Tensor.zeros([3, 6]), arrangement }), { code: 'UAM_SHAPE' });
});

t.test('the code of a place: 16 wavelengths from 4 to 4096 um, sine and cosine of x, then of y', async (t) => {
  const code = placeCode(Float64Array.of(3, 700), 'float64').data;
  for (let k = 0; k < 16; k++) {
    const wavelength = 4 * 1024 ** (k / 15);
    const expected = [3, 700].flatMap((place) => [
      Math.sin((2 * Math.PI * place) / wavelength),
      Math.cos((2 * Math.PI * place) / wavelength),
    ]);
    t.ok(
      [code[k], code[16 + k], code[32 + k], code[48 + k]].every((value, i) => Math.abs((value as number) - (expected[i] as number)) < 1e-9),
    );
  }
});

t.test('batches pick rows', async (t) => {
  const scaled = { cells: 3, width: 2, values: Float32Array.of(1, 2, 3, 4, 5, 6), missing: Uint8Array.of(0, 0, 0, 0, 0, 1) };
  t.same([...cellBatch(scaled, Int32Array.of(1, 0)).features.data], [3, 4, 1, 2]);
  t.equal(cellBatch(scaled, Int32Array.of(1, 0)).missing, undefined, 'nothing is missing');
  t.same([...(cellBatch(scaled).missing as Tensor).data], [0, 0, 0, 0, 0, 1]);
  t.throws(() => cellBatch(scaled, Int32Array.of(3)), { code: 'UAM_ARGUMENT' });
  t.throws(() => cellBatch(scaled, undefined, arrange(Float64Array.of(1, 1))), { code: 'UAM_SHAPE' });
  for (const wrong of [{ kind: 'x' }, { radius: 0 }, { neighbours: 0 }, { readout: 'max' }, { other: 1 }]) {
    t.throws(() => tokensConfig(wrong as object), { code: 'UAM_ARGUMENT' });
  }
});
