// Tiles as numbers: windows, turns, stains, labels.
import t from 'tap';
import { type Disturbance, pieceOf } from '../../src/train/joint_batch.js';
import { JointDataset } from '../../src/train/joint_dataset.js';
import { jointSettings } from '../../src/train/joint_settings.js';
import { packTiles } from '../../src/train/joint_tiles.js';
import { Pace } from '../../src/train/pace.js';
import { restained } from '../../src/train/stain_jitter.js';
import { turnBoxes, turnedPixels, turnedSize, turnPlaces } from '../../src/train/tile_turn.js';
import { scalingOf } from '../../src/train/training_scaling.js';
import { uniform } from '../support/random.js';

const MPP = 0.5;

/** A tile in which every cell is one red pixel, the only one, of which region, place and box tell the same. */
async function beacons({ width, height, cells }: { width: number; height: number; cells: number }, seed: number) {
  const next = uniform(seed);
  const data = new Uint8Array(width * height * 3).fill(200);
  const region = new Uint8Array(width * height);
  const taken = new Set<number>();
  while (taken.size < cells) taken.add(Math.floor(width * height * next()));
  const pixels = [...taken].sort((a, b) => a - b);
  const positions = new Float64Array(2 * cells);
  const boxes = new Float64Array(4 * cells);
  pixels.forEach((pixel, i) => {
    const [x, y] = [pixel % width, Math.floor(pixel / width)];
    data.set([255, 10 + i, 0], 3 * pixel);
    region[pixel] = 1;
    positions.set([3 + x * MPP, -7 + y * MPP], 2 * i);
    boxes.set([3 + (x - 0.5) * MPP, -7 + (y - 0.5) * MPP, 3 + (x + 0.5) * MPP, -7 + (y + 1.5) * MPP], 4 * i);
  });
  const table = { length: cells, columns: [{ name: 'glcm_F', data: Float64Array.from(pixels, (_, i) => i) }] };
  const input = {
    image: { width, height, data, origin: [3, -7] as const },
    region,
    table,
    positions,
    boxes,
    classes: pixels.map((_, i) => i % 2),
  };
  const dataset = JointDataset.of([input], { mpp: MPP, classes: ['even', 'odd'] });
  const pace = new Pace('test');
  return packTiles(dataset, await scalingOf(dataset, {}, () => false, pace), pace);
}

t.test('crops and turns keep pixels, regions, places, boxes and labels together', async (t) => {
  const cells = 30;
  const tiles = await beacons({ width: 70, height: 50, cells }, 3);
  const ways = new Set<string>();
  for (let step = 0; step < 40; step++) {
    const settings = jointSettings({ crop: 32, stain: 0, augment: { noise: 0, hide: 0, dropCells: 0.2 } }, 16, 1);
    const piece = pieceOf(tiles, { tile: 0 }, { settings, at: { seed: 5, step }, index: 0 });
    const { image, region, rows, places, boxes, labels, labelled } = piece;
    t.same([image?.width, image?.height, region?.length], [32, 32, 1024]);
    const red = (pixel: number) => image?.data[3 * pixel] === 255;
    region?.forEach((inside, pixel) => {
      if (red(pixel) !== (inside === 1)) t.fail(`step ${step}: pixel ${pixel}`);
    });
    const lit = region?.reduce((sum, value) => sum + value, 0) as number;
    t.ok(rows.length <= lit, 'some cells are left out');
    rows.forEach((row, i) => {
      const [x, y] = [(places[2 * i] as number) / MPP, (places[2 * i + 1] as number) / MPP];
      const pixel = Math.round(y) * 32 + Math.round(x);
      if (!(Math.abs(x - Math.round(x)) < 1e-9 && image?.data[3 * pixel + 1] === 10 + row))
        t.fail(`step ${step}: cell ${row} at ${x}, ${y}`);
      const box = [...boxes.subarray(4 * i, 4 * i + 4)].map((edge, k) => (edge - (places[2 * i + (k & 1)] as number)) / MPP);
      ways.add(String(box));
    });
    t.same(
      [...labels],
      [...labelled].map((at) => (rows[at] as number) % 2),
    );
  }
  t.equal(ways.size, 4, 'the long side of the boxes points everywhere');
});

t.test('without disturbance a tile is what it was', async (t) => {
  const tiles = await beacons({ width: 20, height: 10, cells: 6 }, 4);
  const { image, rows, places, region } = pieceOf(tiles, { tile: 0 });
  t.same([image?.data, region], [tiles.tiles[0]?.image?.data.slice(), tiles.tiles[0]?.region?.slice()]);
  t.same(rows, Int32Array.of(0, 1, 2, 3, 4, 5));
  t.same(
    places,
    tiles.cells?.positions.map((at, i) => at - (i % 2 === 0 ? 3 : -7)),
  );
  const part = pieceOf(tiles, { tile: 0, window: { x: 5, y: 2, width: 4, height: 3 } });
  t.equal(part.image?.data.length, 36);
});

t.test('the eight ways are the eight symmetries', async (t) => {
  const data = Uint8Array.from({ length: 12 }, (_, i) => i);
  const window = { x: 0, y: 0, width: 4, height: 3 };
  const pictures = new Set<string>();
  for (let way = 0; way < 8; way++) {
    const [width, height] = turnedSize(window, way);
    const turned = turnedPixels(data, 4, 1, window, way);
    pictures.add(`${width}: ${turned}`);
    for (let y = 0; y < 3; y++) {
      for (let x = 0; x < 4; x++) {
        const place = Float64Array.of(x, y);
        turnPlaces(place, [3, 2], way);
        t.equal(turned[(place[1] as number) * width + (place[0] as number)], y * 4 + x, `way ${way}: ${x}, ${y}`);
      }
    }
    const box = Float64Array.of(0, 0, 1, 2);
    turnBoxes(box, [3, 2], way);
    t.ok((box[0] as number) < (box[2] as number) && (box[1] as number) < (box[3] as number) && height > 0);
  }
  t.equal(pictures.size, 8);
});

t.test('stains', async (t) => {
  const pixels = Uint8Array.from({ length: 3 * 256 }, (_, i) => Math.max(1, Math.floor(i / 3)));
  t.ok(
    restained(pixels, new Float32Array(6)).every((value, i) => Math.abs(value - (pixels[i] as number)) < 1e-3),
    'no change: the same light',
  );
  const purple = Uint8Array.of(120, 80, 160);
  const more = restained(purple, Float32Array.of(0.2, 0, 0, 0, 0, 0));
  t.ok(
    [0, 1].every((c) => (more[c] as number) < (purple[c] as number)),
    'more haematoxylin is darker',
  );
  const white = restained(Uint8Array.of(255, 255, 255), Float32Array.of(0.5, 0.5, 0.5, -0.2, -0.2, -0.2));
  t.ok(
    white.every((value) => value <= 255),
    'never brighter than white',
  );
});

t.test('random numbers follow from seed, step and index alone', async (t) => {
  const tiles = await beacons({ width: 40, height: 40, cells: 9 }, 6);
  const of = (step: number, index: number) => {
    const settings = jointSettings({ crop: 32 }, 16, 1);
    const disturbance: Disturbance = { settings, at: { seed: 2, step }, index };
    const { image, features, places } = pieceOf(tiles, { tile: 0 }, disturbance);
    return JSON.stringify([[...(image?.data ?? [])], [...features], [...places]]);
  };
  t.equal(of(1, 0), of(1, 0));
  t.not(of(1, 0), of(2, 0));
  t.not(of(1, 0), of(1, 1));
});
