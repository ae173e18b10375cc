// Features at a pixel size that is not the image's: the same as of the resampled image, and every cell keeps its row.
import t from 'tap';
import type { LabelMask, RasterImage } from '../../src/image/image.js';
import { resampleImage, resampleMask } from '../../src/image/resample.js';
import { extract } from '../../src/radiomics/extract.js';
import type { ExtractOptions } from '../../src/radiomics/extract_options.js';
import { factorsTo } from '../../src/radiomics/measuring_scale.js';
import { demoTile } from '../../src/train/demo_tile.js';
import { rejectsWith, sameValues } from '../support/expect.js';

const { image, mask } = demoTile({ seed: 3, width: 256, height: 256, mpp: 0.25 });
/** The tile with two cells that are single pixels, one of which no centre hits. */
const small: LabelMask = { ...mask, data: mask.data.slice() };
const empty = (x: number, y: number) => {
  const at = y * 256 + x;
  return [at, at - 1, at + 1].every((place) => small.data[place] === 0) ? at : -1;
};
const spot = (parity: number, id: number): number => {
  for (let y = 10 + parity; y < 250; y += 2) {
    for (let x = 10 + parity; x < 250; x += 2) {
      const at = empty(x, y);
      if (at < 0) continue;
      small.data[at] = id;
      return at;
    }
  }
  throw new Error('the tile is full');
};
const [vanishes, stays] = [5, 4_000_000_000];
small.data.forEach((id, at) => {
  if (id === vanishes) small.data[at] = 0; // its number is for the cell that vanishes
});
spot(0, vanishes);
spot(1, stays);

const chosen: ExtractOptions = { features: ['firstorder', 'shape2D', 'glcm', 'ring_glcm', 'neighbourhood'], channels: ['grey'] };

t.test('values are those of the resampled image; ids, places and borders those of the mask', async (t) => {
  const own = await extract(image, small, chosen);
  const scaled = await extract(image, small, { ...chosen, mpp: 0.5 });
  const direct = await extract(await resampleImage(image, [2, 2]), await resampleMask(small, [2, 2]), chosen);
  t.same([scaled.ids, scaled.centroids, scaled.touchesBorder], [own.ids, own.centroids, own.touchesBorder]);
  t.same(scaled.names, own.names);
  t.equal(direct.length, own.length - 1);
  const rows = Array.from(scaled.ids, (id) => direct.ids.indexOf(id));
  const gone = rows.indexOf(-1);
  t.equal(scaled.ids[gone], vanishes);
  t.equal(scaled.statusOf(gone), 'no_values');
  t.equal(scaled.statusOf(scaled.ids.indexOf(stays)), 'single_pixel');
  for (const { name, unit, data } of scaled.columns) {
    const wanted = direct.column(name);
    t.equal(unit, wanted.unit);
    sameValues(
      t,
      data,
      rows.map((row) => (row < 0 ? Number.NaN : (wanted.data[row] as number))),
      name,
    );
  }
  t.same(
    scaled.status,
    Uint8Array.from(rows, (row, i) => (row < 0 ? scaled.status[i] : direct.status[row]) as number),
  );
  for (const blockSize of [1, 7]) t.same(await extract(image, small, { ...chosen, mpp: 0.5, blockSize }), scaled, 'however it is cut');
});

t.test('one cell alone, also one that vanishes; a spacing of the user is scaled', async (t) => {
  const all = await extract(image, small, { ...chosen, mpp: 0.5 });
  for (const label of [vanishes, stays, all.ids[0] as number]) {
    const one = await extract(image, small, { ...chosen, mpp: 0.5, settings: { label } });
    t.same([one.length, one.ids[0], one.status[0]], [1, label, all.status[all.ids.indexOf(label)]]);
    t.same(one.row(0), all.row(all.ids.indexOf(label)));
  }
  await rejectsWith(t, extract(image, small, { mpp: 0.5, settings: { label: 77_777 } }), 'UAM_DATA', /77777/);
  const area = async (more: ExtractOptions) =>
    (await extract(image, mask, { features: ['shape2D'], mpp: 0.5, ...more })).column('shape2D_PixelSurface').data;
  const doubled = (await area({ settings: { spacing: [0.5, 0.5] } })).map((value) => value / 4);
  t.same(doubled, await area({}));
});

t.test('a mask of nothing but vanishing cells, and one without any', async (t) => {
  for (const data of [new Uint32Array(16), Uint32Array.of(9, ...new Uint32Array(15))]) {
    const picture: RasterImage = { width: 4, height: 4, channels: 1, data: new Uint8Array(16).fill(3), mpp: [0.25, 0.25] };
    const table = await extract(picture, { width: 4, height: 4, data }, { mpp: 0.5, features: ['all'] });
    t.same([...table.ids], data[0] ? [9] : []);
    t.ok(table.columns.every(({ data }) => data.every(Number.isNaN)));
  }
});

t.test('when an image is resampled, and when it cannot be', async (t) => {
  const at = (...mpp: [number, number]) => ({ mpp, name: 'a.png' });
  for (const scale of [undefined, 'own'] as const) t.equal(factorsTo(scale, at(0.2, 0.9)), undefined);
  for (const size of [0.5, 0.48, 0.52]) t.equal(factorsTo(0.5, at(size, size)), undefined, `${size} is 0.5`);
  t.same(factorsTo(0.5, at(0.25, 0.25)), [2, 2]);
  t.same(factorsTo(0.5, at(0.5, 0.25)), [1, 2], 'one axis is enough');
  t.same(factorsTo(0.5, at(1, 1)), [0.5, 0.5]);
  const refused = async (image: Parameters<typeof factorsTo>[1]) => factorsTo(0.5, image);
  await rejectsWith(t, refused({ name: 'a.png' }), 'UAM_DATA', /a\.png: .*give its mpp/);
  await rejectsWith(t, refused(at(6, 6)), 'UAM_DATA', /a\.png: its pixels of 6 x 6 um are more than 10 times/);
  for (const mpp of [0, -1, Number.NaN, Infinity, '0.5', null]) {
    await rejectsWith(t, extract(image, mask, { mpp: mpp as number }), 'UAM_ARGUMENT', /extract: mpp must be micrometres per pixel/);
  }
  await rejectsWith(t, extract(image, mask, { mpp: 0.5, signal: AbortSignal.abort() }), 'UAM_ABORTED', /./);
});
