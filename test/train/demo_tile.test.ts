import { createHash } from 'node:crypto';
import fc from 'fast-check';
import t from 'tap';
import { findCells } from '../../src/cells/index.js';
import { DEMO_CLASSES } from '../../src/train/demo_nuclei.js';
import { type DemoTile, demoTile, demoTileAsync } from '../../src/train/demo_tile.js';
import { onBackend, testBackends } from '../support/backends.js';

const bytes = ({ image, mask, classes, region, regions }: DemoTile): string => {
  const hash = createHash('sha256');
  for (const part of [image.data, mask.data, classes, region, regions])
    hash.update(new Uint8Array(part.buffer, part.byteOffset, part.byteLength));
  return hash.digest('hex');
};

t.test('the same options, the same bytes', async (t) => {
  const first = bytes(demoTile({ seed: 3, width: 200, height: 120 }));
  t.equal(bytes(demoTile({ seed: 3, width: 200, height: 120 })), first);
  t.not(bytes(demoTile({ seed: 4, width: 200, height: 120 })), first);
  t.not(bytes(demoTile({ seed: 3, patient: 9, width: 200, height: 120 })), first);
});

t.test('a tile has what it says', async (t) => {
  const before = performance.now();
  const { image, mask, classes, classNames, region } = demoTile({ seed: 1 });
  t.comment(`${Math.round(performance.now() - before)} ms`);
  t.same([image.width, image.height, image.channels, image.mpp], [512, 512, 3, [0.5, 0.5]]);
  t.equal(image.data.length, 512 * 512 * 3);
  const cells = findCells(mask);
  t.same(
    [...cells.ids],
    Array.from(classes, (_, i) => i + 1),
    'ids are 1 to n',
  ); // prettier-ignore
  t.ok(cells.areas.every((area) => area >= 16));
  const of = (kind: number) => [...cells.areas.keys()].filter((i) => classes[i] === kind);
  for (const kind of DEMO_CLASSES.keys()) t.ok(of(kind).length > 20, `${of(kind).length} ${classNames[kind]}`);
  const middle = (list: number[], value: (i: number) => number) =>
    list.map(value).sort((a, b) => a - b)[Math.floor(list.length / 2)] as number; // prettier-ignore
  const area = (kind: number) => middle(of(kind), (i) => cells.areas[i] as number);
  t.ok(area(0) > 2 * area(1), `tumour ${area(0)} px, lymphocytes ${area(1)} px`);
  const red = DEMO_CLASSES.map((_, kind) => {
    const values: number[] = [];
    mask.data.forEach((id, at) => {
      if (id > 0 && classes[id - 1] === kind) values.push(image.data[at * 3] as number);
    });
    return values.reduce((sum, value) => sum + value, 0) / values.length;
  });
  t.ok((red[1] as number) < (red[0] as number) - 20, `lymphocytes are darker: ${red}`);
  const share = region.filter((value) => value === 255).length / region.length;
  t.ok(share > 0.1 && share < 0.9 && region.every((value) => value === 0 || value === 255));
  const inNest = (kind: number) => {
    const centres = of(kind).map(
      (i) => Math.round(cells.centroids[2 * i + 1] as number) * 512 + Math.round(cells.centroids[2 * i] as number),
    ); // prettier-ignore
    return centres.filter((at) => region[at] === 255).length / centres.length;
  };
  t.ok(inNest(0) > 0.97, `${inNest(0)} of the tumour nuclei lie in nests`);
  t.ok(inNest(2) < 0.06, `${inNest(2)} of the stromal nuclei do`);
});

t.test('nuclei touch', async (t) => {
  const { mask } = demoTile({ seed: 2, width: 256, height: 256 });
  let touching = 0;
  for (let at = 0; at + 1 < mask.data.length; at++) {
    const [here, next] = [mask.data[at] as number, mask.data[at + 1] as number];
    if (here > 0 && next > 0 && here !== next && (at + 1) % mask.width > 0) touching++;
  }
  t.ok(touching > 20, `${touching} pairs of pixels`);
});

t.test('regions', async (t) => {
  const { image, mask, classes, region, regions, regionNames } = demoTile({ seed: 2, width: 256, height: 256 });
  t.same(regionNames, ['no tissue', 'tumour nest', 'stroma', 'lymphocyte cluster']);
  t.ok(regions.every((kind, at) => kind < regionNames.length && (kind === 1) === (region[at] === 255)));
  const cells = findCells(mask);
  const within = (kind: number, place: number) => {
    const own = [...cells.areas.keys()].filter((i) => classes[i] === kind);
    const at = (i: number) => Math.round(cells.centroids[2 * i + 1] as number) * image.width + Math.round(cells.centroids[2 * i] as number);
    return own.filter((i) => regions[at(i)] === place).length / own.length;
  };
  const share = regions.filter((kind) => kind === 3).length / regions.length;
  t.ok(share > 0.02 && within(1, 3) > 3 * share, `${within(1, 3)} of the lymphocytes lie in clusters, which fill ${share} of the tile`);
});

t.test('without holding the event loop: the same bytes, and an end on demand', async (t) => {
  const options = { seed: 6, width: 300, height: 200 };
  let turns = 0;
  const ticking = setInterval(() => turns++, 1);
  const tile = await demoTileAsync(options);
  clearInterval(ticking);
  t.equal(bytes(tile), bytes(demoTile(options)));
  t.ok(turns > 3, `${turns} turns of the event loop`);
  const ended = demoTileAsync(options, { signal: AbortSignal.timeout(5) });
  await t.rejects(ended, { code: 'UAM_ABORTED' });
  await t.rejects(demoTileAsync({ seed: -1 }), { code: 'UAM_ARGUMENT' });
});

t.test('any seed, size and scale', async () => {
  fc.assert(
    fc.property(
      fc.record({
        seed: fc.integer({ min: 0, max: 0xffffffff }),
        width: fc.integer({ min: 16, max: 90 }),
        height: fc.integer({ min: 16, max: 90 }),
        mpp: fc.double({ min: 0.2, max: 2, noNaN: true }),
      }),
      (options) => {
        const { image, mask, classes } = demoTile(options);
        const { ids } = findCells(mask);
        return (
          image.data.length === options.width * options.height * 3 && ids.every((id, i) => id === i + 1) && ids.length === classes.length
        );
      },
    ),
    { numRuns: 30 },
  );
});

t.test('the same bytes on the definitions, every instruction set and any number of threads', async (t) => {
  const make = () => bytes(demoTile({ seed: 5, width: 96, height: 64 }));
  const first = make();
  for (const backend of testBackends()) {
    for (const threads of [1, 2]) t.equal(onBackend(backend, threads, make), first, `${backend.name}, ${threads} threads`);
  }
});

t.test('refusals', async (t) => {
  for (const options of [
    { seed: -1 },
    { seed: 0.5 },
    { patient: 2 ** 32 },
    { width: 8 },
    { height: 5000 },
    { mpp: 0 },
    { mpp: Number.NaN },
  ]) {
    t.throws(() => demoTile(options), { code: 'UAM_ARGUMENT' });
  }
});
