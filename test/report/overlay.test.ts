import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { cellContours, findCells, polygonsFrom } from '../../src/cells/index.js';
import { readImage } from '../../src/image/index.js';
import { fillBox, LineLayer } from '../../src/report/line_drawing.js';
import { drawOverlay, writeOverlay } from '../../src/report/overlay.js';
import { drawText, textWidth } from '../../src/report/stroke_letters.js';

const folder = t.testdir();

function square(channels: 1 | 3 = 3) {
  const data = new Uint32Array(400);
  for (let y = 5; y < 15; y++) data.fill(3, y * 20 + 5, y * 20 + 15);
  const mask = { width: 20, height: 20, data };
  const image = { width: 20, height: 20, channels, data: new Uint8Array(400 * channels).fill(200) };
  return { image, outlines: cellContours(mask, findCells(mask)) };
}

const at = ({ data, width }: { data: ArrayLike<number>; width: number }, x: number, y: number) =>
  [0, 1, 2].map((c) => data[(y * width + x) * 3 + c] as number);

t.test('outlines lie on the edges of cells, in the colour of the class', async (t) => {
  for (const channels of [1, 3] as const) {
    const { image, outlines } = square(channels);
    const picture = await drawOverlay(image, outlines, ['tumour'], { scale: 4, legend: false });
    t.same([picture.width, picture.height, picture.channels], [80, 80, 3]);
    t.same(at(picture, 20, 40), [213, 94, 0], 'left edge');
    t.same(at(picture, 40, 59), [213, 94, 0], 'lower edge');
    t.same(at(picture, 40, 40), [200, 200, 200], 'inside, the image');
    t.same(at(picture, 8, 8), [200, 200, 200], 'outside as well');
  }
  const { image, outlines } = square();
  t.same(at(await drawOverlay(image, outlines, [undefined], { scale: 4, legend: false }), 20, 40), [110, 110, 110], 'grey without a class');
  const own = { scale: 4, legend: false, colors: { x: [1, 2, 3] } } as const;
  t.same(at(await drawOverlay(image, outlines, ['x'], own), 20, 40), [1, 2, 3]);
});

t.test('regions are tinted under the cells, with a line around', async (t) => {
  const { image, outlines } = square();
  const mask = { width: 10, height: 10, data: Uint8Array.from({ length: 100 }, (_, i) => (i % 10 < 5 ? 0 : 2)) };
  const region = { mask, names: ['a', 'b'] };
  const colors = { b: [0, 0, 255] } as const;
  const picture = await drawOverlay({ ...image, mpp: [0.5, 0.5] }, outlines, ['tumour'], { scale: 4, colors, region });
  t.same(at(picture, 8, 8), [200, 200, 200], 'outside, the image');
  t.same(at(picture, 70, 8), [172, 172, 208], 'inside, tinted');
  t.same(at(picture, 40, 8), [0, 0, 255], 'the line');
  t.same(at(picture, 20, 40), [213, 94, 0], 'the cell');
  const bad = (part: object) => drawOverlay(image, outlines, ['tumour'], { region: { ...region, ...part } });
  await t.rejects(bad({ names: ['a'] }), { code: 'UAM_DATA' });
  await t.rejects(bad({ names: [] }), { code: 'UAM_ARGUMENT' });
  await t.rejects(bad({ mask: { ...mask, width: 9 } }), { code: 'UAM_SHAPE' });
});

t.test('sizes and legends', async (t) => {
  const { image, outlines } = square();
  const usual = await drawOverlay(image, outlines, ['tumour']);
  t.equal(usual.width, 80, 'four times at most');
  t.ok(usual.height > 80, 'a strip below');
  const small = await drawOverlay(image, outlines, ['tumour'], { scale: 0.5, legend: false });
  t.same([small.width, small.height], [10, 10]);
  const many = Array.from({ length: 12 }, (_, i) => `a class with a long name ${i}`);
  const tall = await drawOverlay(image, outlines, ['a class with a long name 3'], { classes: many, scale: 8 });
  t.ok(tall.height > usual.height, 'more lines');
  const none = await drawOverlay(image, polygonsFrom([]), []);
  t.equal(none.width, 80, 'no cells');
});

t.test('a file that is whole, the same every time', async (t) => {
  const { image, outlines } = square();
  const path = join(folder, 'a.png');
  await writeOverlay(path, image, outlines, ['tumour']);
  const first = readFileSync(path);
  await writeOverlay(path, image, outlines, ['tumour']);
  t.same(readFileSync(path), first);
  t.same(readdirSync(folder), ['a.png']);
  const back = await readImage(path);
  t.same(back.data, (await drawOverlay(image, outlines, ['tumour'])).data);
});

t.test('refusals', async (t) => {
  const { image, outlines } = square();
  await t.rejects(drawOverlay(image, outlines, []), { code: 'UAM_SHAPE' });
  await t.rejects(drawOverlay({ ...image, data: new Uint16Array(1200) }, outlines, ['a']), { code: 'UAM_ARGUMENT' });
  await t.rejects(drawOverlay(image, outlines, ['a'], { scale: 0 }), { code: 'UAM_ARGUMENT' });
  await t.rejects(drawOverlay(image, outlines, ['a'], { thickness: -1 }), { code: 'UAM_ARGUMENT' });
  await t.rejects(writeOverlay(join(folder, 'a.jpg'), image, outlines, ['a']), { code: 'UAM_ARGUMENT' });
  await t.rejects(writeOverlay(join(folder, 'none/a.png'), image, outlines, ['a']), { code: 'UAM_IO' });
});

t.test('lines cover what lies under them', async (t) => {
  const canvas = { width: 20, height: 20, channels: 3 as const, data: new Uint8Array(1200) };
  const layer = new LineLayer(20, 20);
  layer.line(5, 10, 15, 10, 4, 0);
  layer.paint(canvas, [[255, 255, 255]]);
  const covered = canvas.data.reduce((sum, value) => sum + value, 0) / 3 / 255;
  t.ok(Math.abs(covered - (10 * 4 + Math.PI * 4)) < 1.5, `${covered} pixels of a rectangle with round ends`);
  layer.line(-1e6, -50, 1e6, 70, 2, 0); // far outside: only what is inside is visited
  fillBox(canvas, -5, -5, 3, 2, [9, 9, 9]);
  t.same(at(canvas, 2, 1), [9, 9, 9]);
  t.same(at(canvas, 3, 1), [0, 0, 0]);
});

t.test('letters', async (t) => {
  const ink = (text: string) => {
    const layer = new LineLayer(400, 40);
    const canvas = { width: 400, height: 40, channels: 3 as const, data: new Uint8Array(48000) };
    const end = drawText(layer, text, 4, 4, 18, 0);
    layer.paint(canvas, [[255, 255, 255]]);
    return { end, dots: canvas.data.filter((value) => value > 128).length };
  };
  const all = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.,-_():/+%='<>&";
  const seen = new Map<string, number>();
  for (const letter of all) {
    const layer = new LineLayer(40, 40);
    const canvas = { width: 40, height: 40, channels: 3 as const, data: new Uint8Array(4800) };
    drawText(layer, letter, 4, 4, 24, 0);
    layer.paint(canvas, [[255, 255, 255]]);
    t.ok(ink(letter).dots > 0, letter);
    const key = Buffer.from(canvas.data).toString('base64');
    t.notOk(seen.has(key), `${letter} is like no other`);
    seen.set(key, 1);
  }
  t.equal(ink(' ').dots, 0);
  t.equal(ink('µ').dots, ink('肿').dots, 'a box for what has no letter');
  t.ok(Math.abs(ink('tumour (12)').end - 4 - textWidth('tumour (12)', 18)) < 1e-9);
});
