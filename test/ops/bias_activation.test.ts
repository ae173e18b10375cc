import t from 'tap';
import { Tensor } from '../../src/index.js';
import { biasActivationGradients } from '../../src/ops/bias_activation.js';
import { onBackend, testBackends } from '../support/backends.js';
import { relativeError, sameBits } from '../support/near.js';
import { randomTensor } from '../support/random.js';

t.test('slopes and sums over any number of rows and columns', async (t) => {
  for (const [list, columns] of [
    [[0, 1], 1],
    [[0, 300], 5],
    [[0, 700, 700, 1000], 17],
    [[0, 20000], 8],
    [[0, 70, 71], 600],
    [[0, 0], 4],
    [[0, 5], 0],
  ] as [number[], number][]) {
    const rows = list.at(-1) as number;
    const options = { columns, offsets: Int32Array.from(list), needsBias: true };
    for (const activation of [0, 1, 4, 6]) {
      const [dy, pre] = [randomTensor([rows, columns], 1), activation ? randomTensor([rows, columns], 2, -6, 6) : undefined];
      const wide = (tensor: Tensor) => Tensor.from(Float64Array.from(tensor.data), tensor.shape);
      const expected = biasActivationGradients(activation, wide(dy), pre && wide(pre), options);
      for (const backend of testBackends()) {
        const [one, two] = [1, 4].map((threads) =>
          onBackend(backend, threads, () => biasActivationGradients(activation, dy, pre, options)),
        );
        const label = `${backend.name}, activation ${activation}, [${list}] x ${columns}`;
        if (!one?.dBias || !two?.dBias || !expected.dBias) throw new Error('no gradient of the bias');
        t.ok(relativeError(one.dPre.data, expected.dPre.data, 1e-6) < 2e-6, `dPre on ${label}`);
        t.ok(relativeError(one.dBias.data, expected.dBias.data, 1e-6) < 2e-6, `dBias on ${label}`);
        t.ok(sameBits(one.dBias.data, two.dBias.data) && sameBits(one.dPre.data, two.dPre.data), `threads on ${label}`);
      }
    }
  }
});
