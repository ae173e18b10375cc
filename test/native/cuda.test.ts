// What the package says about CUDA: with the everyday addon, and with one that has the CUDA kernels where it was built.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { runtimeInfo, setBackend } from '../../src/index.js';
import { packageRoot } from '../../src/native/load.js';
import { runChild } from '../support/child.js';

t.test('an addon without CUDA says so', async (t) => {
  const { cuda } = runtimeInfo();
  if (cuda.startsWith('ready')) return t.comment('this addon has CUDA, and a card');
  t.match(cuda, /^no CUDA device: .+/);
  t.throws(() => setBackend('cuda'), { name: 'UamError', code: 'UAM_DEVICE', message: cuda });
});

const addon = join(packageRoot(), 'build-cuda', 'Release', 'uam_native.node');
const skip = process.env.UAM_SANITIZE ? 'another addon' : existsSync(addon) ? false : 'npm run build:cuda was not run';

t.test('an addon with CUDA loads without a driver and reports in its words, or computes', { skip }, async (t) => {
  const { code, stdout, stderr } = runChild(
    `
    const { cuda } = uam.runtimeInfo();
    console.log(cuda);
    const x = uam.Tensor.from(Float32Array.from({ length: 100_003 }, (_, i) => Math.sin(i)));
    const host = uam.silu(x).data;
    try {
      uam.setBackend('cuda');
      const device = uam.silu(x).data;
      console.log('largest difference', device.reduce((worst, value, i) => Math.max(worst, Math.abs(value - host[i])), 0) < 1e-6);
    } catch ({ code, message }) { console.log(code, message); }`,
    { UAM_ADDON: addon },
  );
  t.equal(code, 0, stderr);
  const [status = '', outcome = ''] = stdout.split('\n');
  if (status.startsWith('ready')) t.equal(outcome, 'largest difference true');
  else {
    t.match(status, /^no CUDA device: .+ \(cudaError\w+\)$|^no CUDA device: the driver lists none$/);
    t.equal(outcome, `UAM_DEVICE ${status}`);
  }
});
