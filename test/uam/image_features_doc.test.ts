// The JSON files that docs/image_features.md shows are those that the readers take.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { packageRoot } from '../../src/native/load.js';
import { readImageFeatures } from '../../src/uam/feature_files.js';
import { OnnxEncoder, type OnnxRuntime } from '../../src/uam/onnx_encoder.js';
import { rejectsWith } from '../support/expect.js';

t.test('both files are sound; only what they name is absent', async (t) => {
  const text = readFileSync(join(packageRoot(), 'docs', 'image_features.md'), 'utf8');
  const blocks = [...text.matchAll(/```json\n([\s\S]*?)```/g)].map(([, json]) => json as string);
  t.equal(blocks.length, 2);
  const folder = mkdtempSync(join(tmpdir(), 'uam-doc-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const [sidecar, encoder] = blocks.map((json, i) => {
    const path = join(folder, `${i}.json`);
    writeFileSync(path, json);
    return path;
  }) as [string, string];
  await rejectsWith(t, readImageFeatures(sidecar), 'UAM_INPUT', /tile_7\.res2\.npy/);
  const runtime = { InferenceSession: {}, Tensor: Object } as unknown as OnnxRuntime;
  await rejectsWith(t, OnnxEncoder.open(encoder, { runtime }), 'UAM_INPUT', /biomedparse_backbone\.onnx/);
});
