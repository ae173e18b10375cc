import t from 'tap';
import { jointLoss } from '../../src/heads/joint_loss.js';
import type { JointOutput } from '../../src/heads/joint_model.js';
import { grad, Tensor } from '../../src/index.js';
import { checkGradients } from '../support/directional.js';
import { doubled } from '../support/models.js';
import { randomTensor } from '../support/random.js';

const classified = (logits: Tensor): JointOutput['cells'] => ({ logits, embeddings: logits, attentionShares: [] });
const close = (a: number | undefined, b: number) => Math.abs((a as number) - b) < 1e-12;
const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));

const shape = [3, 2, 4, 2] as const;
const logits = () => doubled(randomTensor([3, 2, 4, 2], 3, -3, 3));
// Image 0 is known, image 1 in part (its second region not at all), image 2 not at all.
const regionLabels = Uint8Array.from({ length: 48 }, (_, i) => {
  const [image, pixel, region] = [Math.floor(i / 16), Math.floor((i % 16) / 2), i % 2];
  if (image === 2 || (image === 1 && (region === 1 || pixel < 3))) return 255;
  return (i * 7) % 3 === 0 ? 1 : 0;
});

t.test('regions, by the formula: cross entropy over what is known, Dice per image and region that is', async (t) => {
  const x = logits();
  let entropy = 0;
  let known = 0;
  const groups = new Map<string, { overlap: number; extent: number }>();
  regionLabels.forEach((label, i) => {
    if (label === 255) return;
    const p = sigmoid(x.data[i] as number);
    entropy -= label ? Math.log(p) : Math.log(1 - p);
    known++;
    const key = `${Math.floor(i / 16)} ${i % 2}`;
    const { overlap, extent } = groups.get(key) ?? { overlap: 0, extent: 0 };
    groups.set(key, { overlap: overlap + p * label, extent: extent + p + label });
  });
  t.equal(groups.size, 3);
  const dice = [...groups.values()].reduce((sum, { overlap, extent }) => sum + 1 - (2 * overlap + 1) / (extent + 1), 0) / 3;
  const { total, regions, cells } = jointLoss({ regions: x }, { regions: Tensor.from(regionLabels, shape) });
  t.ok(close(regions?.item(), entropy / known + dice));
  t.equal(total?.item(), regions?.item());
  t.equal(cells, undefined);
});

t.test('what is not known has no gradient, whatever the logits there; gradients are true', async (t) => {
  const x = logits().requireGrad();
  const target = Tensor.from(regionLabels, shape);
  const once = () => jointLoss({ regions: x }, { regions: target }).total as Tensor;
  const value = once().item();
  const [dx] = grad(once(), [x]);
  regionLabels.forEach((label, i) => {
    if (label === 255) t.equal(dx?.data[i], 0);
  });
  checkGradients(t, [['logits', x]], once);
  regionLabels.forEach((label, i) => {
    if (label === 255) x.data[i] = 1e3;
  });
  t.ok(close(once().item(), value));
});

t.test('cells: smoothed cross entropy over those with a label, weighted', async (t) => {
  const x = doubled(randomTensor([4, 3], 9, -2, 2)).requireGrad();
  const labels = Int32Array.of(2, -1, 0, 2);
  const weight = [0.5, 1, 1.5];
  const target = { cells: Tensor.from(labels) };
  const options = { classWeight: Tensor.from(Float64Array.from(weight)) };
  let sum = 0;
  let weights = 0;
  labels.forEach((label, row) => {
    if (label < 0) return;
    const values = [0, 1, 2].map((c) => x.data[3 * row + c] as number);
    const log = Math.log(values.reduce((a, b) => a + Math.exp(b), 0));
    const losses = values.map((value, c) => (log - value) * (weight[c] as number));
    sum += 0.95 * (losses[label] as number) + (0.05 / 3) * losses.reduce((a, b) => a + b);
    weights += weight[label] as number;
  });
  const { total, cells, regions } = jointLoss({ cells: classified(x) }, target, options);
  t.ok(close(cells?.item(), sum / weights));
  t.equal(total?.item(), cells?.item());
  t.equal(regions, undefined);
  checkGradients(t, [['logits', x]], () => jointLoss({ cells: classified(x) }, target, options).total as Tensor);
});

t.test('both, learned weights, experts; a task without labels adds 0', async (t) => {
  const cells = {
    ...classified(doubled(randomTensor([2, 2], 1))),
    loadBalance: doubled(Tensor.from(3)),
    zLoss: doubled(Tensor.from(5)),
  } as never;
  const output: JointOutput = { cells, regions: doubled(randomTensor([1, 2, 2, 1], 2)) };
  const labels = { cells: Tensor.from(Int32Array.of(0, 1)), regions: Tensor.from(Uint8Array.of(0, 1, 1, 255), [1, 2, 2]) };
  const both = jointLoss(output, labels);
  const [c, r] = [both.cells?.item() as number, both.regions?.item() as number];
  t.ok(close(both.total?.item(), c + r + 0.03 + 0.005));
  const taskScales = Tensor.from(Float64Array.of(0.5, -1)).requireGrad();
  const weighed = jointLoss(output, labels, { taskScales });
  t.ok(close(weighed.total?.item(), Math.exp(-0.5) * c + 0.5 + Math.E * r - 1 + 0.035));
  checkGradients(t, [['s', taskScales]], () => jointLoss(output, labels, { taskScales }).total as Tensor);
  const none = { cells: Tensor.from(Int32Array.of(-1, -1)), regions: Tensor.full([1, 2, 2, 1], 255, 'uint8') };
  const onlyCells = jointLoss(output, { ...labels, regions: none.regions }, { taskScales });
  t.ok(close(onlyCells.total?.item(), Math.exp(-0.5) * c + 0.5 + 0.035), 'nor does its s');
  t.equal(onlyCells.regions, undefined);
  t.ok(close(jointLoss(output, { regions: labels.regions }).total?.item(), r + 0.035));
  t.same(jointLoss(output, none), { total: undefined, cells: undefined, regions: undefined });
  t.same(jointLoss({}, labels).total, undefined);
});

t.test('what cannot be', async (t) => {
  const regions = Tensor.zeros([1, 2, 2, 2]);
  const wrong: [object, object, string, RegExp][] = [
    [{ regions: Tensor.zeros([1, 2, 2], 'uint8') }, {}, 'UAM_SHAPE', /\[1, 2, 2, 2\]/],
    [{ regions: Tensor.zeros([1, 2, 2, 2], 'int32') }, {}, 'UAM_DTYPE', /uint8/],
    [{ regions: Tensor.full([1, 2, 2, 2], 2, 'uint8') }, {}, 'UAM_DATA', /0, 1, or 255/],
    [{ regions: Tensor.zeros([1, 2, 2, 2], 'uint8') }, { taskScales: Tensor.zeros([3]) }, 'UAM_SHAPE', /taskScales/],
  ];
  for (const [targets, options, code, message] of wrong) t.throws(() => jointLoss({ regions }, targets, options), { code, message });
  t.throws(() => jointLoss({ cells: classified(Tensor.zeros([2, 2])) }, { cells: Tensor.from(Int32Array.of(0, 2)) }), {
    code: 'UAM_ARGUMENT',
  });
});
