// What is written of many cells leaves the event loop free.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { cellContoursAsync } from '../../src/cells/cell_contours.js';
import { findCells } from '../../src/cells/find_cells.js';
import { callCells, writeCalls } from '../../src/report/calls.js';
import { writeOverlay } from '../../src/report/overlay.js';
import { longestHolds } from '../support/event_loop.js';

const folder = mkdtempSync(join(tmpdir(), 'uam-free-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));

/** Square nuclei on a grid. */
const side = 1800;
const data = new Uint32Array(side * side);
let count = 0;
for (let y = 2; y + 9 < side; y += 12) {
  for (let x = 2; x + 9 < side; x += 12) {
    count++;
    for (let v = y; v < y + 8; v++) data.fill(count, v * side + x, v * side + x + 8);
  }
}
const mask = { width: side, height: side, data };
const cells = findCells(mask);
const probabilities = Float32Array.from({ length: 2 * count }, (_, i) => (i % 2 === 0 ? 0.75 : 0.25));
const calls = { classes: ['a', 'b'], probabilities };

const free = (t: Pick<Test, 'ok'>, holds: readonly number[]) =>
  // One longer turn may be the compiler's or the collector's.
  t.ok((holds[1] as number) < 50, `the longest holds were ${holds.map(Math.round).join(', ')} ms`);

t.test('calls', async (t) => {
  t.ok(count > 20_000);
  for (const name of ['a.geojson', 'a.geojson.gz', 'a.csv']) {
    free(t, await longestHolds(() => writeCalls(join(folder, name), cells, calls, { mask })));
  }
});

t.test('overlays', async (t) => {
  const outlines = await cellContoursAsync(mask, cells);
  const image = { width: side, height: side, channels: 3 as const, data: new Uint8Array(side * side * 3).fill(200) };
  free(t, await longestHolds(() => writeOverlay(join(folder, 'a.png'), image, outlines, callCells(calls).names)));
});
