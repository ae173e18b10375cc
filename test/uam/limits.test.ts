// What must hold exactly: limits, symmetry, packing, soft mixtures (design/uam.md, sections 3 and 10).
import t from 'tap';
import { noGrad, randomNormal, type Tensor } from '../../src/index.js';
import { Initializer } from '../../src/nn/initializer.js';
import type { Module } from '../../src/nn/module.js';
import { Backbone } from '../../src/uam/backbone.js';
import { ARCHITECTURES, backboneConfig } from '../../src/uam/config.js';
import { doubled, moved, movedBackbone, reordered, TINY } from '../support/models.js';
import { relativeError, sameBits } from '../support/near.js';

const tokens = (count: number, seed = 1) => randomNormal([count, TINY.width], { seed, step: 0 });
const one = (count: number) => ({ offsets: Int32Array.of(0, count) });

/** Sets every parameter whose name ends so. */
function fill(module: Module, name: string, value: number | ((i: number) => number)): void {
  for (const [path, tensor] of module.namedParameters()) {
    if (!path.endsWith(name)) continue;
    for (let i = 0; i < tensor.size; i++) tensor.data[i] = typeof value === 'number' ? value : value(i);
  }
}

t.test('forced parameters give what the modes give', async (t) => {
  const x = tokens(11);
  const forced: Record<string, (backbone: Backbone) => void> = {
    'amamba attention': (backbone) => {
      fill(backbone, '.out_proj', 0);
      fill(backbone, '.gate_weight', 0);
      fill(backbone, '.gate_bias', 60);
    },
    'amamba mamba': (backbone) => {
      fill(backbone, '.gate_weight', 0);
      fill(backbone, '.gate_bias', -200);
    },
    'amamba-moe attention': (backbone) => {
      fill(backbone, '.router_weight', 0);
      fill(backbone, '.router_bias', (i) => (i === 0 ? -400 : 400));
    },
    'amamba-moe mamba': (backbone) => {
      fill(backbone, '.router_weight', 0);
      fill(backbone, '.router_bias', (i) => (i === 0 ? 400 : -400));
    },
  };
  for (const [name, force] of Object.entries(forced)) {
    for (const precise of [false, true]) {
      const [architecture, mode] = name.split(' ') as ['amamba' | 'amamba-moe', 'attention' | 'mamba'];
      const backbone = movedBackbone({ architecture });
      const input = precise ? doubled(x) : x;
      if (precise) backbone.cast('float64');
      force(backbone);
      const unified = noGrad(() => backbone.forward(input, one(11)).states);
      backbone.setMode(mode);
      const limit = noGrad(() => backbone.forward(input, one(11)).states);
      const error = relativeError(unified.data, limit.data);
      t.ok(error <= (precise ? 1e-13 : 1e-6), `${name} in ${precise ? 'float64' : 'float32'}: ${error}`);
      t.notSame([...limit.data.subarray(0, 3)], [...input.data.subarray(0, 3)]);
      backbone.dispose();
    }
  }
});

t.test('tied directions: a reversed sequence gives the reversed result', async (t) => {
  for (const architecture of ['amamba', 'amamba-moe', 'bimamba', 'parallel'] as const) {
    const backbone = movedBackbone({ architecture });
    const named = new Map(backbone.namedParameters());
    for (const [name, tensor] of named)
      if (name.endsWith('_bwd')) tensor.data.set(named.get(name.replace('_bwd', '_fwd'))?.data as Float32Array);
    const x = tokens(13);
    const backward = Array.from({ length: 13 }, (_, i) => 12 - i);
    const forth = noGrad(() => backbone.forward(x, one(13)).states);
    const back = noGrad(() => backbone.forward(reordered(x, backward), one(13)).states);
    const error = relativeError(reordered(back, backward).data, forth.data);
    t.ok(error < 2e-6, `${architecture}: ${error}`);
    backbone.dispose();
  }
});

t.test('packed sequences give what each gives alone', async (t) => {
  const lengths = [5, 1, 0, 9, 2];
  const offsets = Int32Array.from([0, ...lengths.map((_, i) => lengths.slice(0, i + 1).reduce((a, b) => a + b, 0))]);
  const total = offsets.at(-1) as number;
  for (const architecture of ARCHITECTURES) {
    const backbone = movedBackbone({ architecture });
    const x = tokens(total);
    const packed = noGrad(() => backbone.forward(x, { offsets }).states);
    for (let s = 0; s < lengths.length; s++) {
      const rows = [offsets[s] as number, offsets[s + 1] as number] as const;
      if (rows[0] === rows[1]) continue;
      const alone = noGrad(() => backbone.forward(x.rows(...rows), one(rows[1] - rows[0])).states);
      t.ok(
        sameBits(packed.rows(...rows).data.slice(), alone.data.slice()) || relativeError(packed.rows(...rows).data, alone.data) < 1e-6,
        `${architecture}: sequence ${s}`,
      );
    }
    backbone.dispose();
  }
});

t.test('all experts chosen: a soft mixture, weighted by probability', async (t) => {
  const soft = movedBackbone({ architecture: 'amamba-moe', topK: 4, depth: 1 }).cast('float64');
  const values = new Map(soft.namedParameters());
  const x = doubled(tokens(7));
  const { states } = noGrad(() => soft.forward(x, one(7)));
  // By the definition, expert by expert, from the same backbone with one expert at a time.
  const single = new Backbone(
    backboneConfig({ ...TINY, architecture: 'amamba-moe', experts: 1, topK: 1, depth: 1 }),
    new Initializer(1),
  ).cast('float64');
  const before = (name: string) => values.get(`layers.0.${name}`) as Tensor;
  const results = [0, 1, 2, 3].map((expert) => {
    for (const [name, tensor] of single.namedParameters()) {
      const source = values.get(name) as Tensor;
      if (name.endsWith('expert_gate')) tensor.data.fill(0);
      else if (name.includes('expert_'))
        tensor.data.set(source.data.subarray(expert * tensor.size, (expert + 1) * tensor.size) as Float64Array);
      else tensor.data.set(source.data as Float64Array);
    }
    return noGrad(() => single.layers[0]?.forward(x, { layout: one(7) }).x.data.slice()) as Float64Array;
  });
  // y is what is left when no expert adds anything; v its norm, which the gate reads.
  for (const [name, tensor] of single.namedParameters()) if (name.endsWith('expert_w2')) tensor.data.fill(0);
  const y = noGrad(() => single.layers[0]?.forward(x, { layout: one(7) }).x.data.slice()) as Float64Array;
  const width = TINY.width;
  const expected = new Float64Array(y.length);
  for (let token = 0; token < 7; token++) {
    const row = y.subarray(token * width, (token + 1) * width);
    const size = Math.sqrt(row.reduce((sum, value) => sum + value ** 2, 0) / width + 1e-6);
    const logits = [0, 1, 2, 3].map((e) =>
      row.reduce(
        (sum, value, i) => sum + (value / size) * (before('norm3').data[i] as number) * (before('expert_gate').data[i * 4 + e] as number),
        0,
      ),
    );
    const weights = logits.map(Math.exp);
    const total = weights.reduce((a, b) => a + b, 0);
    for (let i = 0; i < width; i++) {
      const at = token * width + i;
      const mixed = results.reduce(
        (sum, result, e) => sum + ((weights[e] as number) / total) * ((result[at] as number) - (y[at] as number)),
        0,
      );
      expected[at] = (y[at] as number) + mixed;
    }
  }
  const out = noGrad(() => soft.layers[0]?.forward(x, { layout: one(7) }).x.data) as Float64Array;
  t.ok(relativeError(out, expected) < 1e-12, String(relativeError(out, expected)));
  t.equal(states.shape[0], 7);
});

t.test('gates and routers start even, and tell their share', async (t) => {
  for (const architecture of ['amamba', 'amamba-moe'] as const) {
    const backbone = new Backbone(backboneConfig({ ...TINY, architecture }), new Initializer(1));
    const { attentionShares } = noGrad(() => backbone.forward(tokens(6), one(6)));
    t.equal(attentionShares.length, TINY.depth);
    for (const share of attentionShares) t.ok(share.data.every((value) => Math.abs(value - 0.5) < 1e-7));
    backbone.dispose();
  }
});

t.test('every kind of gate and context', async (t) => {
  const x = tokens(9);
  const seen = new Set<string>();
  for (const gate of ['head', 'channel', 'static'] as const) {
    for (const context of ['kv', 'q'] as const) {
      const backbone = movedBackbone({ gate, context });
      const { states, attentionShares } = noGrad(() => backbone.forward(x, one(9)));
      t.same(attentionShares[0]?.shape, { head: [9, 2], channel: [9, 8], static: [2] }[gate]);
      seen.add([...states.data.subarray(0, 4)].join());
      backbone.dispose();
    }
  }
  t.equal(seen.size, 6, 'each gives another result');
});

t.test('a backbone of one head: the gate of a head is not that of a channel', async (t) => {
  const backbone = moved(new Backbone(backboneConfig({ ...TINY, heads: 1 }), new Initializer(1)));
  t.same(
    noGrad(() => backbone.forward(tokens(4), one(4)).states.shape),
    [4, 8],
  );
  const whole = moved(new Backbone(backboneConfig({ ...TINY, heads: 8 }), new Initializer(1)));
  t.same(
    noGrad(() => whole.forward(tokens(4), one(4)).states.shape),
    [4, 8],
  );
});
