import t from 'tap';
import { sampleBilinear, Tensor } from '../../src/index.js';
import { onBackend, testBackends } from '../support/backends.js';
import { randomTensor } from '../support/random.js';
import { type OpCase, testOp } from '../support/spec.js';

/** Points spread over the map, none of them near a pixel centre or the border, where the derivative jumps. */
function awayFromKinks(points: number, height: number, width: number): Tensor {
  const unit = randomTensor([points, 2], 4, 0, 1).data;
  const position = Tensor.zeros([points, 2]);
  for (let i = 0; i < 2 * points; i++) {
    const cells = (i % 2 === 0 ? width : height) + 1; // one cell beyond the border on either side
    const cell = Math.floor((((i * 7919) % 101) / 101) * cells) - 1;
    position.data[i] = cell + 0.1 + 0.8 * (unit[i] as number);
  }
  return position;
}

const images = (points: number, batch: number) => Tensor.from(Int32Array.from({ length: points }, (_, i) => (i * 5) % batch));

function opCase(shape: [number, number, number, number], points: number): OpCase {
  const image = images(points, Math.max(1, shape[0]));
  return {
    name: `map [${shape}], ${points} points`,
    inputs: { map: randomTensor(shape, 1), position: awayFromKinks(points, shape[1], shape[2]) },
    run: ({ map, position }) => sampleBilinear(map as Tensor, position as Tensor, image.to((map as Tensor).device)),
  };
}

t.test('channels around the vector width', async (t) => {
  testOp(
    t,
    [1, 3, 4, 5, 8, 9, 15, 16, 17, 33].map((channels) => opCase([2, 4, 5, channels], 23)),
  );
});

t.test('thin maps, no points, an empty map without points', async (t) => {
  testOp(t, [opCase([1, 1, 1, 3], 6), opCase([1, 1, 6, 3], 9), opCase([3, 6, 1, 3], 9), opCase([2, 3, 3, 4], 0), opCase([0, 3, 3, 4], 0)]);
});

t.test('many points on few pixels', async (t) => {
  testOp(t, [{ ...opCase([3, 20, 9, 24], 3000), skipFiniteDifferences: true, gradTolerance: 1e-5 }]);
});

t.test('few points on many pixels', async (t) => {
  testOp(t, [{ ...opCase([1, 260, 270, 1], 40), skipFiniteDifferences: true }]);
});

t.test('centres give the pixels, beyond the border the border goes on', async (t) => {
  const map = Tensor.from([0, 1, 2, 3, 4, 5], [1, 2, 3, 1]);
  const at = (...position: number[]) => [
    ...sampleBilinear(map, Tensor.from(position, [position.length / 2, 2]), images(position.length / 2, 1)).data,
  ];
  t.same(at(0, 0, 2, 0, 1, 1, 2, 1), [0, 2, 4, 5]);
  t.same(at(-5, -5, 9, 9, -Infinity, 1, Infinity, 0.5), [0, 5, 3, 3.5]);
  t.same(at(0.5, 0.5), [2]);
  t.ok(Number.isNaN(at(Number.NaN, 0)[0]));
});

t.test('kinks, NaN and infinite positions: every backend says the same', async (t) => {
  const position = Tensor.from([0, 0, 2, 1, 1, 1, -3, 0.5, 7, 0.5, 0.5, Infinity, -Infinity, 0.25, 1.5, 0], [8, 2]);
  const run = ({ map, position }: Record<string, Tensor>) =>
    sampleBilinear(map as Tensor, position as Tensor, images(8, 2).to((map as Tensor).device));
  testOp(t, [{ name: 'kinks', inputs: { map: randomTensor([2, 2, 3, 5], 1), position }, run, skipFiniteDifferences: true }]);
  const spoilt = Tensor.from(
    Float32Array.from(position.data, (value, i) => (i === 4 ? Number.NaN : value)),
    [8, 2],
  );
  testOp(t, [{ name: 'NaN', inputs: { map: randomTensor([2, 2, 3, 5], 1), position: spoilt }, run, skipFiniteDifferences: true }]);
});

t.test('an image out of range is refused and nothing is read', async (t) => {
  const map = randomTensor([2, 3, 3, 4], 1);
  const position = randomTensor([2, 2], 2, 0, 2);
  for (const backend of testBackends()) {
    onBackend(backend, 2, () => {
      for (const bad of [-1, 2, 2147483647]) {
        t.throws(() => sampleBilinear(map, position, Tensor.from(Int32Array.of(0, bad))), {
          code: 'UAM_ARGUMENT',
          message: new RegExp(`image\\[1\\] must be from 0 to 1, received ${bad}`),
        });
      }
    });
  }
  t.throws(() => sampleBilinear(map, position, Tensor.from(Int32Array.of(0))), { code: 'UAM_SHAPE' });
  t.throws(() => sampleBilinear(map, position, Tensor.from([0, 0])), { code: 'UAM_DTYPE' });
  t.throws(() => sampleBilinear(randomTensor([2, 0, 3, 4], 1), position, Tensor.from(Int32Array.of(0, 1))), {
    code: 'UAM_SHAPE',
    message: /without pixels/,
  });
});
