// Who asks whom, against a search of everything.
import t from 'tap';
import { arrange } from '../../src/tokens/arrangement.js';
import { cellsAround, cellsOnImages, checkImagesOfTiles, onMap, placesOf, windowsOf } from '../../src/uam/cells_on_images.js';
import { uniform } from '../support/random.js';

const next = uniform(21);
const CELLS = 60;
// Three tiles; the second has no image. Some cells lie outside of their image.
const positions = Float64Array.from({ length: 2 * CELLS }, () => -8 + 60 * next());
const arrangement = arrange(positions, Int32Array.of(0, 25, 40, CELLS));
const imageOfTile = Int32Array.of(1, -1, 0);
const place = { width: 83, height: 70, mpp: 0.5, origin: Float64Array.of(3, -2, 0, 0) };
const grid = { stride: 16, height: 5, width: 6 }; // of 96 x 80 pixels: 83 x 70 filled up
const boxes = Float64Array.from({ length: 4 * CELLS }, (_, i) => {
  const [cell, k] = [Math.floor(i / 4), i % 4];
  return (positions[2 * cell + (k % 2)] as number) + (k < 2 ? -1 - cell / 30 : 2 + cell / 20);
});
const tileOf = (row: number) => (row < 25 ? 0 : row < 40 ? 1 : 2);
const pixelOf = (row: number) => {
  const image = imageOfTile[tileOf(row)] as number;
  return [0, 1].map((axis) => ((arrangement.points[2 * row + axis] as number) - (place.origin[2 * image + axis] as number)) / place.mpp);
};
const isSeen = (row: number) => {
  if (tileOf(row) === 1) return false;
  const [x, y] = pixelOf(row) as [number, number];
  return x >= -0.5 && x < 82.5 && y >= -0.5 && y < 69.5;
};
const on = cellsOnImages({ arrangement, boxes, imageOfTile, place });
const rows = Array.from({ length: CELLS }, (_, row) => row);

t.test('cells on an image, their places and grids', async (t) => {
  t.same([...on.seen], rows.filter(isSeen));
  t.ok(on.seen.length > 20 && on.seen.length < 45, 'some are outside');
  on.seen.forEach((row, k) => {
    const image = imageOfTile[tileOf(row)] as number;
    t.equal(on.image[k], image);
    t.same([...on.points.subarray(2 * k, 2 * k + 2)], pixelOf(row));
    const cell = arrangement.order[row] as number;
    for (const axis of [0, 1]) {
      const [low, high] = [boxes[4 * cell + axis] as number, boxes[4 * cell + 2 + axis] as number];
      const middle = ((low + high) / 2 - (place.origin[2 * image + axis] as number)) / place.mpp;
      t.ok(Math.abs((on.grids[18 * k + 8 + axis] as number) - middle) < 1e-9, 'the fifth point of the grid is the middle');
      const first = (low + (high - low) / 6 - (place.origin[2 * image + axis] as number)) / place.mpp;
      t.ok(Math.abs((on.grids[18 * k + axis] as number) - first) < 1e-9);
    }
  });
  const plain = cellsOnImages({ arrangement, imageOfTile, place });
  t.same([...plain.points], [...on.points]);
  t.ok(Math.abs((plain.grids[0] as number) - ((on.points[0] as number) - 10 / 3 / place.mpp)) < 1e-9, '10 um around a cell without a box');
  t.same([...onMap(Float64Array.of(-0.5, 1.5, 5.5), 4)], [-0.5, 0, 1]);
});

t.test('windows of 5 x 5 points, cut at the image', async (t) => {
  const { offsets, indices } = windowsOf(on, grid, place, 2);
  t.equal(offsets.length, CELLS + 1);
  for (const row of rows) {
    const expected: number[] = [];
    if (isSeen(row)) {
      const [x, y] = pixelOf(row).map((at) => Math.floor((at + 0.5) / 16)) as [number, number];
      for (let py = 0; py < Math.ceil(70 / 16); py++) {
        for (let px = 0; px < Math.ceil(83 / 16); px++) {
          if (Math.abs(px - x) <= 2 && Math.abs(py - y) <= 2) expected.push(((imageOfTile[tileOf(row)] as number) * 5 + py) * 6 + px);
        }
      }
      t.ok(expected.length >= 9);
    }
    t.same([...indices.subarray(offsets[row], offsets[row + 1])], expected);
  }
});

t.test('cells within the radius of each point, and "no cell" last', async (t) => {
  for (const radius of [1, 17, 128]) {
    const { offsets, indices } = cellsAround({ arrangement, imageOfTile, place }, grid, radius);
    let edges = 0;
    for (let image = 0; image < 2; image++) {
      const places = placesOf(grid, place, image);
      for (let point = 0; point < 30; point++) {
        const expected = rows.filter((row) => {
          if (imageOfTile[tileOf(row)] !== image) return false;
          const [dx, dy] = [0, 1].map((axis) => (arrangement.points[2 * row + axis] as number) - (places[2 * point + axis] as number));
          return (dx as number) ** 2 + (dy as number) ** 2 <= radius ** 2;
        });
        edges += expected.length + 1;
        const at = image * 30 + point;
        t.same([...indices.subarray(offsets[at], offsets[at + 1])], [...expected, CELLS], `${radius} um, point ${at}`);
      }
    }
    t.equal(indices.length, edges);
  }
  t.same([...placesOf(grid, place, 0).subarray(0, 4)], [3 + 7.5 * 0.5, -2 + 7.5 * 0.5, 3 + 23.5 * 0.5, -2 + 7.5 * 0.5]);
});

t.test('what does not fit', async (t) => {
  const wrong: [() => unknown, string, RegExp][] = [
    [() => checkImagesOfTiles(Int32Array.of(0), 2, 1), 'UAM_SHAPE', /one number per tile \(2\)/],
    [() => checkImagesOfTiles(Int32Array.of(0, 2), 2, 2), 'UAM_ARGUMENT', /-1 to 1/],
    [() => checkImagesOfTiles(Int32Array.of(0, -2), 2, 2), 'UAM_ARGUMENT', /-1 to 1/],
    [() => checkImagesOfTiles(Int32Array.of(1, 1), 2, 2), 'UAM_ARGUMENT', /two tiles/],
    [() => cellsOnImages({ arrangement, imageOfTile, place, boxes: new Float64Array(4) }), 'UAM_SHAPE', /\[60, 4\]/],
    [
      () =>
        cellsOnImages({
          arrangement,
          imageOfTile,
          place,
          boxes: boxes.map((v, i) => (i === 4 * (arrangement.order[on.seen[0] as number] as number) ? Number.NaN : v)),
        }),
      'UAM_DATA',
      /box of cell/,
    ],
  ];
  for (const [call, code, message] of wrong) t.throws(call, { code, message });
});
