import t from 'tap';
import { Progress, progressLine } from '../../src/cli/progress.js';

const state = { images: 90, imagesDone: 45, cells: 100, cellsDone: 50, totalCells: 3456 };

t.test('the line', async (t) => {
  t.equal(progressLine(state, 61.5, 100), '[##########..........]  45/90 images  3,456 cells  56 cells/s  1:01');
  t.equal(progressLine({ ...state, images: 1, imagesDone: 0 }, 0, 100), '[##########..........]  3,456 cells  0 cells/s  0:00');
  t.equal(progressLine(state, 1, 10).length, 10, 'no longer than the terminal is wide');
});

const line = (seconds: number, width: number) => progressLine(state, seconds, width);

t.test('only on a terminal, and it makes room for messages', async (t) => {
  const written: string[] = [];
  const terminal = { isTTY: true, columns: 80, write: (text: string) => written.push(text) };
  const progress = new Progress(terminal, true);
  progress.update(line);
  progress.update(line);
  t.equal(written.length, 1, 'not drawn more often than can be seen');
  progress.clear();
  progress.clear();
  t.equal(written[1], '\r\x1b[K');
  t.equal(written.length, 2);
  progress.update(line);
  t.equal(written.length, 3, 'drawn again after a message');
  for (const quiet of [new Progress({ ...terminal, isTTY: false }, true), new Progress(terminal, false)]) {
    quiet.update(line);
    quiet.clear();
  }
  t.equal(written.length, 3);
});
