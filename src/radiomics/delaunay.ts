// The Delaunay graph of points and the Voronoi cells that it bounds. Positions, not points: points at one place share what the place has.

/** The graph and what hangs on it, an entry per point. */
export interface DelaunayFeatures {
  degree: Float64Array;
  /** NaN where there is no edge. */
  meanEdge: Float64Array;
  minEdge: Float64Array;
  maxEdge: Float64Array;
  /** Standard deviation over the edges of a point (divided by their number). */
  sdEdge: Float64Array;
  /** Area of the Voronoi cell inside the rectangle; points at one place share its cell evenly. */
  voronoiArea: Float64Array;
}

export interface Rectangle {
  left: number;
  top: number;
  right: number;
  bottom: number;
}

/**
 * @param points `[n, 2]`, finite
 * @param frame the rectangle that Voronoi cells are cut to
 */
export async function delaunayFeatures(points: Float64Array, frame: Rectangle): Promise<DelaunayFeatures> {
  const { places, placeOf, count } = distinctPlaces(points);
  const { first, neighbours } = await delaunayGraph(places);
  const n = placeOf.length;
  const column = () => new Float64Array(places.length / 2).fill(Number.NaN);
  const at = { degree: column(), meanEdge: column(), minEdge: column(), maxEdge: column(), sdEdge: column(), voronoiArea: column() };
  const cell = new CellArea(places, frame);
  for (let p = 0; p < places.length / 2; p++) {
    const around = neighbours.subarray(first[p] as number, first[p + 1] as number);
    const lengths = Float64Array.from(around, (q) => distance(places, p, q)).sort(); // sorted: sums do not depend on how edges are found
    at.degree[p] = lengths.length;
    at.voronoiArea[p] = cell.of(p, around) / (count[p] as number);
    if (lengths.length === 0) continue;
    const mean = lengths.reduce((sum, length) => sum + length, 0) / lengths.length;
    at.meanEdge[p] = mean;
    at.minEdge[p] = lengths[0] as number;
    at.maxEdge[p] = lengths[lengths.length - 1] as number;
    at.sdEdge[p] = Math.sqrt(lengths.reduce((sum, length) => sum + (length - mean) ** 2, 0) / lengths.length);
  }
  const spread = (values: Float64Array) => Float64Array.from({ length: n }, (_, i) => values[placeOf[i] as number] as number);
  return {
    degree: spread(at.degree),
    meanEdge: spread(at.meanEdge),
    minEdge: spread(at.minEdge),
    maxEdge: spread(at.maxEdge),
    sdEdge: spread(at.sdEdge),
    voronoiArea: spread(at.voronoiArea),
  };
}

function distance(places: Float64Array, p: number, q: number): number {
  const dx = (places[p * 2] as number) - (places[q * 2] as number);
  const dy = (places[p * 2 + 1] as number) - (places[q * 2 + 1] as number);
  return Math.sqrt(dx * dx + dy * dy);
}

/** The different positions among points, sorted by x and then y; which one each point has; how many points have it. */
function distinctPlaces(points: Float64Array): { places: Float64Array; placeOf: Uint32Array; count: Uint32Array } {
  const n = points.length / 2;
  const [x, y] = [(i: number) => points[i * 2] as number, (i: number) => points[i * 2 + 1] as number];
  const order = Uint32Array.from({ length: n }, (_, i) => i).sort((a, b) => x(a) - x(b) || y(a) - y(b));
  const placeOf = new Uint32Array(n);
  const places = new Float64Array(n * 2);
  const count = new Uint32Array(n);
  let found = 0;
  for (const [k, i] of order.entries()) {
    const before = order[k - 1];
    if (before === undefined || x(before) !== x(i) || y(before) !== y(i)) {
      places[found * 2] = x(i);
      places[found * 2 + 1] = y(i);
      found++;
    }
    placeOf[i] = found - 1;
    (count[found - 1] as number)++;
  }
  return { places: places.slice(0, found * 2), placeOf, count: count.slice(0, found) };
}

/** Neighbours of place p: neighbours[first[p]] to neighbours[first[p + 1] - 1]. */
interface Graph {
  first: Uint32Array;
  neighbours: Uint32Array;
}

async function delaunayGraph(places: Float64Array): Promise<Graph> {
  const n = places.length / 2;
  const line = () => Array.from({ length: Math.max(n - 1, 0) }, (_, p) => [p, p + 1] as const); // places are sorted along it
  if (n < 3) return graphOf(n, line());
  const { Delaunay } = await import('d3-delaunay');
  const delaunay = new Delaunay(places.slice()); // a copy: points on a line are moved in place
  if ('collinear' in delaunay && delaunay.collinear) return graphOf(n, line());
  const { triangles, halfedges } = delaunay;
  const edges: (readonly [number, number])[] = [];
  for (let e = 0; e < triangles.length; e++) {
    const twin = halfedges[e] as number;
    if (twin > e) continue; // each edge once
    const [a, b] = [triangles[e] as number, triangles[next(e)] as number];
    if (twin >= 0 && onOneCircle(places, a, b, triangles[next(next(e))] as number, triangles[next(next(twin))] as number)) continue;
    edges.push([a, b]);
  }
  return graphOf(n, edges);
}

const next = (edge: number): number => (edge % 3 === 2 ? edge - 2 : edge + 1);

function graphOf(n: number, edges: readonly (readonly [number, number])[]): Graph {
  const first = new Uint32Array(n + 1);
  for (const [a, b] of edges) {
    (first[a + 1] as number)++;
    (first[b + 1] as number)++;
  }
  for (let p = 0; p < n; p++) (first[p + 1] as number) += first[p] as number;
  const place = first.slice();
  const neighbours = new Uint32Array(2 * edges.length);
  for (const [a, b] of edges) {
    neighbours[(place[a] as number)++] = b;
    neighbours[(place[b] as number)++] = a;
  }
  return { first, neighbours };
}

/**
 * Whether c and d, on either side of the edge a b, lie on one circle with it: their angles over the edge then sum to half a turn. Such an
 * edge is a matter of taste (the other diagonal would do as well) and bounds no Voronoi cell; without it the graph is unique.
 */
function onOneCircle(places: Float64Array, a: number, b: number, c: number, d: number): boolean {
  const [sineC, cosineC] = angle(places, a, b, c);
  const [sineD, cosineD] = angle(places, a, b, d);
  const sine = sineC * cosineD - cosineC * sineD; // c and d see the edge from opposite sides
  const cosine = cosineC * cosineD + sineC * sineD;
  return cosine < 0 && Math.abs(sine) <= 1e-9;
}

/** Sine and cosine of the angle from a to b as seen from c. */
function angle(places: Float64Array, a: number, b: number, c: number): [number, number] {
  const x = (p: number) => (places[p * 2] as number) - (places[c * 2] as number);
  const y = (p: number) => (places[p * 2 + 1] as number) - (places[c * 2 + 1] as number);
  const scale = distance(places, a, c) * distance(places, b, c);
  return [(x(a) * y(b) - y(a) * x(b)) / scale, (x(a) * x(b) + y(a) * y(b)) / scale];
}

/** Areas of Voronoi cells: the frame, cut along the bisector towards each Delaunay neighbour. */
class CellArea {
  private readonly corners: readonly number[];
  private polygon: number[] = [];
  private cut: number[] = [];

  constructor(
    private readonly places: Float64Array,
    { left, top, right, bottom }: Rectangle,
  ) {
    this.corners = [left, top, right, top, right, bottom, left, bottom];
  }

  of(p: number, neighbours: Uint32Array): number {
    const [px, py] = [this.places[p * 2] as number, this.places[p * 2 + 1] as number];
    // As seen from p: areas far from the origin then lose nothing.
    this.polygon = this.corners.map((value, i) => value - (i % 2 === 0 ? px : py));
    for (const q of neighbours) this.keepNear((this.places[q * 2] as number) - px, (this.places[q * 2 + 1] as number) - py);
    let twice = 0;
    const { polygon } = this;
    for (let i = 0; i < polygon.length; i += 2) {
      const j = i + 2 < polygon.length ? i + 2 : 0;
      twice += (polygon[i] as number) * (polygon[j + 1] as number) - (polygon[j] as number) * (polygon[i + 1] as number);
    }
    return Math.abs(twice) / 2;
  }

  /** Keeps the part of the polygon that is nearer to the origin than to (dx, dy). */
  private keepNear(dx: number, dy: number): void {
    const { polygon, cut } = this;
    const half = (dx * dx + dy * dy) / 2;
    cut.length = 0;
    for (let i = 0; i < polygon.length; i += 2) {
      const j = i + 2 < polygon.length ? i + 2 : 0;
      const [x, y, toX, toY] = [polygon[i] as number, polygon[i + 1] as number, polygon[j] as number, polygon[j + 1] as number];
      const [here, there] = [x * dx + y * dy - half, toX * dx + toY * dy - half]; // above 0: beyond the bisector
      if (here <= 0) cut.push(x, y);
      if ((here < 0 && there > 0) || (here > 0 && there < 0)) {
        const share = here / (here - there);
        cut.push(x + share * (toX - x), y + share * (toY - y));
      }
    }
    this.polygon = cut;
    this.cut = polygon;
  }
}
