import t from 'tap';
import { CellClassifier, classifierConfig, classifierParameterCount } from '../../src/heads/cell_classifier.js';
import { Initializer } from '../../src/nn/initializer.js';
import { TOKENISERS } from '../../src/tokens/tokens_config.js';
import { Backbone } from '../../src/uam/backbone.js';
import { ARCHITECTURES, type BackboneOptions, backboneConfig } from '../../src/uam/config.js';
import { matchParameters, parameterCount } from '../../src/uam/parameter_count.js';
import { TINY } from '../support/models.js';

t.test('section 4 of the specification, P = 102 and C = 2', async (t) => {
  const expected = {
    S: [404242, 549898, 402442, 95044],
    B: [2164530, 3034638, 2149902, 351368],
    L: [10879042, 15558674, 10840082, 1341704],
  };
  for (const [name, [amamba, moe, active, layer]] of Object.entries(expected)) {
    const size = name as 'S' | 'B' | 'L';
    const of = (architecture: 'amamba' | 'amamba-moe') => classifierConfig({ features: 102, classes: 2, backbone: { size, architecture } });
    t.equal(classifierParameterCount(of('amamba')).total, amamba, `${size}: Amamba`);
    t.same(classifierParameterCount(of('amamba-moe')), { total: moe, active }, `${size}: Amamba-MoE`);
    const { width, depth } = of('amamba').backbone;
    t.equal((parameterCount(of('amamba').backbone).total - width) / depth, layer, `${size}: a layer`);
  }
  const model = new CellClassifier(classifierConfig({ features: 102, classes: 2, backbone: { size: 'S' } }), 1);
  t.equal(model.parameterCount, 404242, 'and it is what a model has');
  model.dispose();
});

t.test('what is counted is what there is', async (t) => {
  for (const architecture of ARCHITECTURES) {
    const variants: BackboneOptions[] = [
      {},
      { bidirectional: false },
      { distanceBias: true },
      { gate: 'channel' },
      { gate: 'static' },
      { width: 20, heads: 4, depth: 3 },
    ];
    for (const variant of variants) {
      if (architecture === 'released-moe' && variant.distanceBias) continue;
      const config = backboneConfig({ ...TINY, architecture, ...variant });
      const backbone = new Backbone(config, new Initializer(1));
      t.equal(parameterCount(config).total, backbone.parameterCount, `${architecture} ${JSON.stringify(variant)}`);
      backbone.dispose();
    }
  }
  for (const kind of TOKENISERS) {
    const config = classifierConfig({ features: 21, classes: 3, tokens: { kind }, backbone: TINY });
    const model = new CellClassifier(config, 1);
    t.equal(classifierParameterCount(config).total, model.parameterCount, kind);
    model.dispose();
  }
});

t.test('architectures are matched within 5 %', async (t) => {
  for (const size of ['S', 'B', 'L'] as const) {
    const target = parameterCount(backboneConfig({ size })).total;
    for (const architecture of ARCHITECTURES) {
      const config = matchParameters(backboneConfig({ size, architecture }), target);
      const { total } = parameterCount(config);
      t.ok(Math.abs(total / target - 1) < 0.01, `${size} ${architecture}: ${total} of ${target}`);
    }
  }
  t.throws(() => matchParameters(backboneConfig({ size: 'L' }), 1000), { code: 'UAM_ARGUMENT' });
});

t.test('configurations that cannot be', async (t) => {
  const wrong: [object, RegExp][] = [
    [{ size: 'XL' }, /size must be S, B, L/],
    [{ wdith: 3 }, /no setting 'wdith'/],
    [{ width: 65 }, /multiple of heads/],
    [{ width: -1 }, /width/],
    [{ depth: 1.5 }, /depth/],
    [{ topK: 5 }, /topK/],
    [{ architecture: 'rnn' }, /architecture/],
    [{ gate: 'none' }, /gate/],
    [{ dropout: 1 }, /dropout/],
    [{ bidirectional: 1 }, /bidirectional/],
  ];
  for (const [options, text] of wrong)
    t.throws(() => backboneConfig(options), { code: 'UAM_ARGUMENT', message: text }, JSON.stringify(options));
  t.equal(backboneConfig({ size: 'S', architecture: 'serial-1:7' }).depth, 8, 'one attention layer in eight needs eight');
});
