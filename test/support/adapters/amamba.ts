import { reshape, type Tensor } from '../../../src/index.js';
import { Initializer } from '../../../src/nn/initializer.js';
import { AmambaLayer } from '../../../src/uam/amamba.js';
import { AmambaMoeLayer } from '../../../src/uam/amamba_moe.js';
import { type BackboneOptions, backboneConfig } from '../../../src/uam/config.js';
import type { Layer } from '../../../src/uam/layer.js';
import type { Adapter, Attributes, Tensors } from '../vectors.js';

const axis = (tensor: Tensor | undefined, at: number) => tensor?.shape[at] ?? 1;

/** The configuration of a layer whose parameters are among the inputs. */
function configOf(inputs: Tensors, { heads, context, mode, top_k: topK }: Attributes): BackboneOptions {
  return {
    ...{
      width: axis(inputs['x'], 1),
      depth: 1,
      heads: heads as number,
      state: axis(inputs['A_log_fwd'], 1),
      ffn: axis(inputs['ffn_w1'], 1),
    },
    ...{ experts: axis(inputs['expert_gate'], 1), expertFfn: axis(inputs['expert_w1'], 2), topK: (topK as number | undefined) ?? 1 },
    ...{ context: context as 'kv' | 'q' | undefined, mode: mode as 'attention' | 'mamba' | undefined },
  } as BackboneOptions;
}

/** Runs a layer on the inputs themselves, so that gradients reach them. */
function run(layer: Layer, inputs: Tensors) {
  for (const [name] of layer.namedParameters()) layer.replace(name, inputs[name] as Tensor).dispose();
  const x = inputs['x'] as Tensor;
  const offsets = (inputs['cu_seqlens']?.data as Int32Array | undefined) ?? Int32Array.of(0, axis(x, 0));
  return layer.forward(x, { layout: { offsets } });
}

export const amambaAdapters: Record<string, Adapter> = {
  amamba: (inputs, attributes) => {
    const layer = new AmambaLayer(backboneConfig(configOf(inputs, attributes)), 0, new Initializer(0));
    return { out: run(layer, inputs).x };
  },
  amamba_moe: (inputs, attributes) => {
    const config = backboneConfig({ ...configOf(inputs, attributes), architecture: 'amamba-moe' });
    const { x, loadBalance, zLoss } = run(new AmambaMoeLayer(config, 0, new Initializer(0)), inputs);
    return { out: x, load_balance: reshape(loadBalance as Tensor, [1]), z_loss: reshape(zLoss as Tensor, [1]) };
  },
};
