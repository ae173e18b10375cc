// How slides are cut: everything covered, weights as the specification has them, blends without seams.
import t from 'tap';
import { TilePlan } from '../../src/slides/tile_plan.js';
import { startsOf, weightAt } from '../../src/train/overlap.js';

t.test('tiles begin a stride apart, and the last one is shifted inward', async (t) => {
  t.same(startsOf(1024, 1024, 768), [0]);
  t.same(startsOf(700, 1024, 768), [0]);
  t.same(startsOf(1025, 1024, 768), [0, 1]);
  t.same(startsOf(1792, 1024, 768), [0, 768]);
  t.same(startsOf(1800, 1024, 768), [0, 768, 776]);
});

t.test('weights', async (t) => {
  t.equal(weightAt(0.5, 1024), 1e-3);
  t.equal(weightAt(512, 1024), 1);
  t.ok(Math.abs(weightAt(256, 1024) - 0.5) < 1e-12);
  t.ok(Math.abs(weightAt(100.5, 1024) - weightAt(1024 - 100.5, 1024)) < 1e-12);
});

t.test('every pixel is in one patch, one block, and in the tiles that meet its patch', async (t) => {
  for (const [width, height] of [
    [10, 7],
    [64, 64],
    [65, 200],
    [161, 149],
    [300, 33],
  ] as const) {
    const plan = new TilePlan({ width, height, tile: 64, stride: 48, block: 96, margin: 20 });
    for (const [name, lattice] of [
      ['patch', plan.patches],
      ['block', plan.blocks],
    ] as const) {
      const seen = new Uint8Array(width * height);
      for (let i = 0; i < lattice.count; i++) {
        const { x, y, width: w, height: h } = lattice.region(i);
        for (let row = y; row < y + h; row++) for (let column = x; column < x + w; column++) seen[row * width + column]!++;
      }
      t.ok(
        seen.every((count) => count === 1),
        `${width} x ${height}: each pixel in one ${name}`,
      );
    }
    for (let i = 0; i < plan.tiles.count; i++) {
      const tile = plan.tiles.region(i);
      t.ok(tile.x >= 0 && tile.y >= 0 && tile.x + tile.width <= width && tile.y + tile.height <= height, 'tiles lie inside');
      t.same([tile.width, tile.height], [Math.min(64, width), Math.min(64, height)]);
    }
    for (let i = 0; i < plan.patches.count; i++) {
      const patch = plan.patches.region(i);
      for (const tile of plan.tiles.meeting(patch).map((at) => plan.tiles.region(at))) {
        // Between the beginnings of neighbouring tiles: a tile that meets a patch begins no later than it.
        t.ok(tile.x <= patch.x && tile.y <= patch.y);
      }
    }
  }
});

t.test('padded blocks', async (t) => {
  const plan = new TilePlan({ width: 200, height: 100, tile: 64, stride: 48, block: 96, margin: 20 });
  t.same(plan.padded(0), { x: 0, y: 0, width: 116, height: 100 });
  t.same(plan.padded(1), { x: 76, y: 0, width: 124, height: 100 });
  t.same(plan.paddedMeeting({ x: 80, y: 50, width: 5, height: 5 }), [0, 1]);
  t.same(plan.paddedMeeting({ x: 190, y: 10, width: 500, height: 5 }), [1, 2]);
  t.same(plan.paddedMeeting({ x: 300, y: 10, width: 5, height: 5 }), []);
});
