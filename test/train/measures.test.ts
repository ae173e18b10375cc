// Small pieces of training: macro-F1, the learning rate.
import t from 'tap';
import { macroF1 } from '../../src/train/f1.js';
import { fitSettings, learningRateAt } from '../../src/train/fit_options.js';

t.test('macro-F1 as scikit-learn computes it', async (t) => {
  // f1_score([0, 1, 2, 0, 1, 2], [0, 2, 1, 0, 0, 1], average='macro')
  t.ok(Math.abs(macroF1([0, 1, 2, 0, 1, 2], [0, 2, 1, 0, 0, 1], 3) - 0.26666666666666666) < 1e-15);
  t.equal(macroF1([0, 1], [0, 1], 5), 1, 'classes that neither occur nor are predicted are left out');
  t.equal(macroF1([0, 0], [0, -1], 1), 2 / 3, 'no answer is an error of the class, and of no other');
  t.ok(Number.isNaN(macroF1([], [], 2)));
});

t.test('the learning rate rises, and falls along a cosine', async (t) => {
  const settings = fitSettings({ learningRate: 1, warmup: 0.1, finalRate: 0.01 }, 64, false, 1);
  const rates = Array.from({ length: 101 }, (_, step) => learningRateAt(step, 101, settings));
  t.equal(rates[10], 1);
  t.ok(rates[0]! > 0 && rates.slice(0, 10).every((rate, i) => rate < (rates[i + 1] as number)));
  t.ok(rates.slice(12).every((rate, i) => rate < (rates[i + 11] as number)));
  t.ok(Math.abs((rates[100] as number) - 0.01) < 1e-12);
  t.equal(learningRateAt(0, 1, settings), 1);
  t.same(
    [true, false].map((tiles) => [64, 128, 256].map((width) => fitSettings({}, width, tiles, 1).learningRate)),
    [
      [2e-3, 1e-3, 6e-4],
      [1e-3, 5e-4, 3e-4],
    ],
  );
  t.same(
    [true, false].map((tiles) => fitSettings({}, 64, tiles, 1).batch),
    [2, 1024],
  );
});
