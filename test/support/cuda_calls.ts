// Preloaded by scripts/test_cuda.mjs: writes the name of every kernel that runs on the card, at its first call in this thread, as a
// line of the file UAM_CUDA_CALLS. So a kernel that no test calls is found.
import { appendFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Addon } from '../../src/native/load.js';

const { UAM_ADDON: path = '', UAM_CUDA_CALLS: file = '' } = process.env;
const { cuda } = createRequire(import.meta.url)(path) as Addon;

for (const table of cuda ? [cuda, cuda.async] : []) {
  const kernels = table as Record<string, unknown>;
  for (const [name, original] of Object.entries(kernels)) {
    if (typeof original !== 'function') continue;
    kernels[name] = (...args: unknown[]) => {
      kernels[name] = original;
      appendFileSync(file, `${name}\n`);
      return original(...args);
    };
  }
}
