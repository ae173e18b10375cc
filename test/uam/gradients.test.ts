// Gradients of whole backbones, in float64 against finite differences; and the same bits however many threads there are.
import t from 'tap';
import { backward, grad, memory, mul, noGrad, randomNormal, scope, sum, type Tensor } from '../../src/index.js';
import { add } from '../../src/ops/binary.js';
import type { Backbone, BackboneRun } from '../../src/uam/backbone.js';
import { ARCHITECTURES } from '../../src/uam/config.js';
import { onBackend, testBackends } from '../support/backends.js';
import { doubled, movedBackbone, TINY } from '../support/models.js';
import { sameBits } from '../support/near.js';
import { randomTensor } from '../support/random.js';

const layout = { offsets: Int32Array.of(0, 3, 4, 6) };

function loss(backbone: Backbone, x: Tensor, g: Tensor, run?: BackboneRun): Tensor {
  const { states, loadBalance, zLoss } = backbone.forward(x, layout, run);
  const main = sum(mul(states, g));
  return loadBalance && zLoss ? add(main, add(mul(loadBalance, 0.7), mul(zLoss, 0.3))) : main;
}

t.test('finite differences, every architecture and parameter', async (t) => {
  onBackend({ name: 'reference', backend: 'reference' }, 1, () => {
    for (const architecture of ARCHITECTURES) {
      const backbone = movedBackbone({ architecture }).cast('float64');
      const x = doubled(randomNormal([6, TINY.width], { seed: 4, step: 0 })).requireGrad();
      const g = doubled(randomNormal([6, TINY.width], { seed: 5, step: 0 }));
      const named: [string, Tensor][] = [['x', x], ...backbone.namedParameters()];
      const gradients = scope(() =>
        grad(
          loss(backbone, x, g),
          named.map(([, tensor]) => tensor),
          { allowUnused: true },
        ).map((gradient) => gradient.data.slice()),
      );
      named.forEach(([name, tensor], i) => {
        const direction = randomTensor(tensor.shape, 50 + i).data;
        const start = tensor.data.slice();
        const at = (scale: number) => {
          start.forEach((value, j) => {
            tensor.data[j] = value + scale * (direction[j] as number);
          });
          return scope(() => noGrad(() => loss(backbone, x, g).item()));
        };
        const step = 1e-5;
        const measured = (at(step) - at(-step)) / (2 * step);
        at(0);
        const terms = Array.from(direction, (value, j) => value * (gradients[i]?.[j] as number));
        const claimed = terms.reduce((a, b) => a + b, 0);
        const scale = terms.reduce((a, b) => a + Math.abs(b), 0);
        const error = Math.abs(measured - claimed) / Math.max(scale, 1e-2);
        if (!(error < 1e-6)) t.fail(`${architecture} ${name}: ${measured} measured, ${claimed} claimed (${error})`);
      });
      t.pass(architecture);
      backbone.dispose();
    }
  });
});

t.test('1, 2 and 4 threads, and a second run: the same bits; recomputing changes none', async (t) => {
  const [fastest] = testBackends().slice(-1);
  if (!fastest) return;
  for (const architecture of ['amamba', 'amamba-moe'] as const) {
    const backbone = movedBackbone({ architecture, width: 32, heads: 4, ffn: 96, expertFfn: 48 }).train();
    const long = { offsets: Int32Array.of(0, 700, 701, 1500) };
    const x = randomNormal([1500, 32], { seed: 4, step: 0 });
    const once = (threads: number, recompute = false) =>
      onBackend(fastest, threads, () =>
        scope(() => {
          const { states, loadBalance } = backbone.forward(x, long, { at: { seed: 9, step: 3 }, recompute });
          const total = sum(mul(states, states));
          const gradients = grad(loadBalance ? add(total, loadBalance) : total, backbone.parameters());
          return [states, ...gradients].map(({ data }) => data.slice());
        }),
      );
    const first = once(1);
    for (const [label, other] of Object.entries({ 2: once(2), 4: once(4), again: once(1), recomputed: once(2, true) })) {
      t.ok(
        first.every((data, i) => sameBits(data, other[i] as typeof data)),
        `${architecture}: ${label}`,
      );
    }
    backbone.dispose();
  }
});

t.test('training mode: noise follows from seed and step, and needs them', async (t) => {
  const backbone = movedBackbone({}).train();
  const x = randomNormal([6, TINY.width], { seed: 4, step: 0 });
  const states = (run?: BackboneRun) => scope(() => noGrad(() => backbone.forward(x, layout, run).states.data.slice()));
  t.throws(() => states(), { code: 'UAM_ARGUMENT', message: /training mode/ });
  t.same(states({ at: { seed: 1, step: 2 } }), states({ at: { seed: 1, step: 2 } }));
  t.notSame(states({ at: { seed: 1, step: 2 } }), states({ at: { seed: 1, step: 3 } }));
  backbone.eval();
  t.same(states(), states({ at: { seed: 1, step: 2 } }), 'evaluation draws nothing');
  backbone.dispose();
});

t.test('memory is the same after 100 and 200 steps', async (t) => {
  const backbone = movedBackbone({ architecture: 'amamba-moe', width: 16, heads: 4 }).train();
  const x = randomNormal([400, 16], { seed: 4, step: 0 });
  const step = (at: number) =>
    scope(() => {
      const { states, loadBalance } = backbone.forward(x, { offsets: Int32Array.of(0, 150, 400) }, { at: { seed: 1, step: at } });
      backward(add(sum(mul(states, states)), loadBalance as Tensor));
      backbone.zeroGrad();
    });
  const after = (from: number, to: number) => {
    for (let at = from; at < to; at++) step(at);
    return memory.stats();
  };
  const first = after(0, 100);
  t.same(after(100, 200), first);
  backbone.dispose();
});
