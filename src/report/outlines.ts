// Outlines of cells and regions on pictures: lines along them, smoothed, with a light edge that lifts them off the tissue.
import { setImmediate } from 'node:timers/promises';
import type { Rgb } from '../cells/palette.js';
import type { Polygons } from '../cells/polygons.js';
import { UamError } from '../errors.js';
import { type Canvas, LineLayer } from './line_drawing.js';

/** Rows of the picture that are painted in one go. */
const bandRows = 128;

const paper: Rgb = [255, 255, 255];

/** A ring of pixel edges as a smooth one: points a pixel apart, each then moved twice toward its neighbours. */
function smooth(points: Float64Array, from: number, to: number): Float64Array {
  const dense: number[] = [];
  for (let at = from; at < to; at++) {
    const next = at + 1 < to ? at + 1 : from;
    const [ax, ay] = [points[2 * at] as number, points[2 * at + 1] as number];
    const [bx, by] = [points[2 * next] as number, points[2 * next + 1] as number];
    const steps = Math.min(4096, Math.max(1, Math.round(Math.hypot(bx - ax, by - ay))));
    for (let k = 0; k < steps; k++) dense.push(ax + ((bx - ax) * k) / steps, ay + ((by - ay) * k) / steps);
  }
  let ring = Float64Array.from(dense);
  const count = ring.length / 2;
  for (let round = 0; round < 2; round++) {
    ring = ring.map((value, i) => {
      const axis = i % 2;
      const at = (i - axis) / 2;
      const [before, after] = [(at + count - 1) % count, (at + 1) % count];
      return (value * 2 + (ring[2 * before + axis] as number) + (ring[2 * after + axis] as number)) / 4;
    });
  }
  return ring;
}

/** Lets other work of the process go on where this one has had its share of the time. */
export class Breather {
  #since = performance.now();

  /** @param what the call that a signal may end */
  constructor(
    private readonly what: string,
    private readonly signal: AbortSignal | undefined,
  ) {}

  /** @throws UamError `UAM_ABORTED` */
  async breathe(): Promise<void> {
    if (this.signal?.aborted) throw new UamError('UAM_ABORTED', `${this.what} was ended by its signal`, { cause: this.signal.reason });
    if (performance.now() - this.#since < 15) return;
    await setImmediate();
    this.#since = performance.now();
  }

  /** Does work that comes in pieces. */
  async through<T>(pieces: Generator<void, T, void>): Promise<T> {
    for (;;) {
      const { done, value } = pieces.next();
      if (done) return value;
      await this.breathe();
    }
  }
}

/** A picture and the rows of it that lines may be drawn on. */
export const bandOf = ({ width, data }: Canvas, from: number, rows: number): Canvas => ({
  width,
  height: rows,
  channels: 3,
  data: data.subarray(from * width * 3, (from + rows) * width * 3),
});

/** Puts a layer on a picture of its size, a band at a time. */
export async function paintLayer(
  canvas: Canvas,
  layer: LineLayer,
  inks: readonly Rgb[],
  opacity: number,
  breather: Breather,
): Promise<void> {
  for (let y = 0; y < layer.height; y += bandRows) {
    await breather.breathe();
    layer.paint(bandOf(canvas, y, Math.min(bandRows, layer.height - y)), inks, opacity, y);
  }
}

export interface OutlineStyle {
  /** Pixels of the picture per unit of the outlines, along x and y. */
  scale: readonly [x: number, y: number];
  /** Pixels of the picture. */
  thickness: number;
  colors: readonly Rgb[];
  /** Which of the colours a polygon has. */
  inkOf(polygon: number): number;
}

/** Lines thinner than this have no light edge: it would be more than they are. */
const THINNEST_LIFTED = 2.2;

/** Draws the outlines of polygons, each in its colour, first a little wider in white. */
export async function paintOutlines(canvas: Canvas, outlines: Polygons, style: OutlineStyle, breather: Breather): Promise<void> {
  const { thickness, colors } = style;
  const own = [0, colors, 1] as const;
  const lifted = [[1.6, colors.map(() => paper), 0.75], own] as const;
  for (const [extra, inks, opacity] of thickness < THINNEST_LIFTED ? [own] : lifted) {
    const layer = new LineLayer(canvas.width, canvas.height);
    await draw(layer, outlines, { ...style, thickness: thickness + extra }, breather);
    await paintLayer(canvas, layer, inks, opacity, breather);
  }
}

async function draw(layer: LineLayer, outlines: Polygons, style: OutlineStyle, breather: Breather): Promise<void> {
  const [sx, sy] = style.scale;
  for (let i = 0; i < outlines.count; i++) {
    const ink = style.inkOf(i);
    for (let r = outlines.polygonOffsets[i] as number; r < (outlines.polygonOffsets[i + 1] as number); r++) {
      await breather.breathe();
      const ring = smooth(outlines.points, outlines.ringOffsets[r] as number, outlines.ringOffsets[r + 1] as number);
      for (let at = 0; at < ring.length; at += 2) {
        const next = (at + 2) % ring.length;
        const [ax, ay] = [(ring[at] as number) * sx, (ring[at + 1] as number) * sy];
        layer.line(ax, ay, (ring[next] as number) * sx, (ring[next + 1] as number) * sy, style.thickness, ink);
      }
    }
  }
}
