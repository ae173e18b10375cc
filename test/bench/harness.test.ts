import t from 'tap';
import { Floors } from '../../bench/floors.js';
import { median, Samples } from '../../bench/harness.js';

t.test('samples are times of single calls, and the minimum is kept', async (t) => {
  const samples = new Samples();
  let calls = 0;
  for (let round = 0; round < 3; round++) samples.gather(() => void calls++, 0, 2);
  t.equal(samples.seconds.length, 6);
  t.ok(calls > 6, 'quick calls are timed many at once');
  t.ok(samples.best <= samples.median && samples.best < 1e-4);
  t.ok(samples.cpu >= 0);
});

t.test('the median of an even number of values lies between the middle two', async (t) => {
  t.equal(median([4, 1, 3]), 3);
  t.equal(median([4, 1, 3, 2]), 2.5);
});

t.test('a floor names what bounds the work, and doubles with it', async (t) => {
  const floors = new Floors();
  const works = { 'GFLOP/s': { flops: 1e9, bytes: 8 }, 'Gexp/s': { exps: 1e9, flops: 1e3 }, 'GB/s': { bytes: 2 ** 20, flops: 1 } };
  for (const [bound, work] of Object.entries(works)) {
    floors.refresh(work, 1);
    const floor = floors.at(work, 1);
    t.equal(floor.bound, bound);
    t.ok(floor.seconds > 0);
  }
  const once = floors.at({ flops: 1e9 }, 1).seconds;
  t.equal(floors.at({ flops: 2e9 }, 1).seconds, 2 * once);
});
