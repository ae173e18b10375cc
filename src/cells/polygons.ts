import { UamError } from '../errors.js';

/**
 * Polygons in flat arrays. Polygon `i` is made of the rings `polygonOffsets[i] .. polygonOffsets[i + 1]`, ring `r` of the points
 * `ringOffsets[r] .. ringOffsets[r + 1]`; the last point of a ring is joined to its first, which is not repeated.
 *
 * Coordinates are those of pixel edges: the upper left corner of the image is (0, 0) and the centre of its first pixel (0.5, 0.5).
 * What is inside is decided by the even-odd rule over all rings of a polygon, so holes and separate parts are rings like any other.
 * In what this package makes, a part's outer ring comes first and the rings of its holes follow; outer rings have a positive
 * `ringArea` (clockwise on the screen), holes a negative one.
 */
export interface Polygons {
  count: number;
  /** `[points, 2]`: x and y. */
  points: Float64Array;
  /** `[rings + 1]`, from 0 to the number of points. */
  ringOffsets: Int32Array;
  /** `[count + 1]`, from 0 to the number of rings. */
  polygonOffsets: Int32Array;
}

/**
 * The signed area of a ring in square pixels: positive where it runs clockwise on the screen (y downward), as outer rings do.
 *
 * @param ring the index of the ring
 * @example
 * const square = polygonsFrom([[[[0, 0], [2, 0], [2, 2], [0, 2]]]]);
 * console.log(ringArea(square, 0)); // 4
 */
export function ringArea({ points, ringOffsets }: Polygons, ring: number): number {
  const begin = ringOffsets[ring] as number;
  const end = ringOffsets[ring + 1] as number;
  let twice = 0;
  for (let i = begin, j = end - 1; i < end; j = i++) {
    twice += (points[j * 2] as number) * (points[i * 2 + 1] as number) - (points[i * 2] as number) * (points[j * 2 + 1] as number);
  }
  return twice / 2;
}

/** Gathers polygons one by one into flat arrays that grow. */
export class PolygonBuilder {
  private points = new Float64Array(1 << 10);
  private pointCount = 0;
  private readonly rings: number[] = [0];
  private readonly polygons: number[] = [0];

  /** How many polygons are complete. */
  get count(): number {
    return this.polygons.length - 1;
  }

  point(x: number, y: number): void {
    if (this.pointCount * 2 === this.points.length) {
      const larger = new Float64Array(this.points.length * 2);
      larger.set(this.points);
      this.points = larger;
    }
    this.points[this.pointCount * 2] = x;
    this.points[this.pointCount * 2 + 1] = y;
    this.pointCount++;
  }

  /** Ends a ring of the points since the last one. */
  endRing(): void {
    this.rings.push(this.pointCount);
  }

  /** Ends a polygon of the rings since the last one. */
  endPolygon(): void {
    this.polygons.push(this.rings.length - 1);
  }

  finish(): Polygons {
    return {
      count: this.count,
      points: this.points.slice(0, this.pointCount * 2),
      ringOffsets: Int32Array.from(this.rings),
      polygonOffsets: Int32Array.from(this.polygons),
    };
  }
}

/**
 * Makes `Polygons` of nested lists.
 *
 * @param polygons per polygon its rings, per ring its points `[x, y]` in pixel-edge coordinates; a last point that repeats the first
 *   is left out
 * @throws UamError `UAM_ARGUMENT` for a coordinate that is not a finite number
 * @example
 * const triangle = polygonsFrom([[[[0, 0], [4, 0], [0, 4]]]]);
 */
export function polygonsFrom(polygons: readonly (readonly (readonly (readonly [number, number])[])[])[]): Polygons {
  const builder = new PolygonBuilder();
  polygons.forEach((rings, polygon) => {
    for (const ring of rings) {
      const [first, last] = [ring[0], ring[ring.length - 1]];
      const closed = ring.length > 1 && first?.[0] === last?.[0] && first?.[1] === last?.[1];
      for (const [x, y] of closed ? ring.slice(0, -1) : ring) {
        if (!Number.isFinite(x) || !Number.isFinite(y)) {
          throw new UamError('UAM_ARGUMENT', `polygonsFrom: polygon ${polygon} has the point (${x}, ${y}); coordinates must be finite`);
        }
        builder.point(x, y);
      }
      builder.endRing();
    }
    builder.endPolygon();
  });
  return builder.finish();
}
