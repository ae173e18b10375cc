import t from 'tap';
import { callKernel, callKernelAsync } from '../../src/index.js';

const sums = () => ({ n: 3, x: Float32Array.of(1, 2, 3), y: Float32Array.of(10, 10, 10) });

t.test('kernels run on typed arrays, now or in the background', async (t) => {
  const now = sums();
  callKernel('accumulate', now);
  t.same([...now.y], [11, 12, 13]);
  const later = sums();
  await callKernelAsync('accumulate', later);
  t.same([...later.y], [11, 12, 13]);
});

t.test('what does not fit is refused', async (t) => {
  t.throws(() => callKernel('no_such_kernel', {}), {
    name: 'UamError',
    code: 'UAM_ARGUMENT',
    message: /no kernel 'no_such_kernel'; .*accumulate/,
  });
  t.throws(() => callKernel('async', {}), { code: 'UAM_ARGUMENT' });
  t.throws(() => callKernel('toString', {}), { code: 'UAM_ARGUMENT' });
  t.throws(() => callKernel('accumulate', { ...sums(), n: 4 }), { name: 'UamError', code: 'UAM_SHAPE' });
  await t.rejects(callKernelAsync('accumulate', { ...sums(), x: 1 }), { name: 'UamError', code: 'UAM_DTYPE' });
  await t.rejects(callKernelAsync('accumulate', sums(), { signal: AbortSignal.abort() }), { name: 'UamError', code: 'UAM_ABORTED' });
});
