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
  const column = () => new Float64Array(count.length).fill(Number.NaN);
  const at = { degree: column(), meanEdge: column(), minEdge: column(), maxEdge: column(), sdEdge: column(), voronoiArea: column() };
  const cell = new CellArea(places, frame);
  const room = new Float64Array(first.reduce((most, end, p) => Math.max(most, end - (first[p - 1] ?? 0)), 0));
  for (let p = 0; p < count.length; p++) {
    const [begin, end] = [first[p] as number, first[p + 1] as number];
    at.degree[p] = end - begin;
    at.voronoiArea[p] = cell.of(p, neighbours, begin, end) / (count[p] as number);
    if (begin === end) continue;
    const lengths = room.subarray(0, end - begin);
    for (let k = begin; k < end; k++) lengths[k - begin] = distance(places, p, neighbours[k] as number);
    lengths.sort(); // sums then do not depend on the order in which edges are found
    let sum = 0;
    for (const length of lengths) sum += length;
    const mean = sum / lengths.length;
    let squares = 0;
    for (const length of lengths) squares += (length - mean) ** 2;
    at.meanEdge[p] = mean;
    at.minEdge[p] = lengths[0] as number;
    at.maxEdge[p] = lengths[lengths.length - 1] as number;
    at.sdEdge[p] = Math.sqrt(squares / lengths.length);
  }
  const spread = (values: Float64Array) => {
    const spreadOut = new Float64Array(placeOf.length);
    for (let i = 0; i < placeOf.length; i++) spreadOut[i] = values[placeOf[i] as number] as number;
    return spreadOut;
  };
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
  if (n < 3) return line(n);
  const { Delaunay } = await import('d3-delaunay');
  const delaunay = new Delaunay(places.slice()); // a copy: points on a line are moved in place
  if ('collinear' in delaunay && delaunay.collinear) return line(n);
  const { triangles, halfedges } = delaunay;
  const edges = new Uint32Array(2 * triangles.length);
  let found = 0;
  for (let e = 0; e < triangles.length; e++) {
    const twin = halfedges[e] as number;
    if (twin > e) continue; // each edge once
    const a = triangles[e] as number;
    const b = triangles[next(e)] as number;
    if (twin >= 0 && onOneCircle(places, a, b, triangles[next(next(e))] as number, triangles[next(next(twin))] as number)) continue;
    edges[found++] = a;
    edges[found++] = b;
  }
  return graphOf(n, edges.subarray(0, found));
}

/** Places on a line are neighbours in the order in which they are sorted. */
function line(n: number): Graph {
  return graphOf(
    n,
    Uint32Array.from({ length: 2 * Math.max(n - 1, 0) }, (_, k) => Math.ceil(k / 2)),
  );
}

const next = (edge: number): number => (edge % 3 === 2 ? edge - 2 : edge + 1);

/** @param edges pairs of places */
function graphOf(n: number, edges: Uint32Array): Graph {
  const first = new Uint32Array(n + 1);
  for (const place of edges) (first[place + 1] as number)++;
  for (let p = 0; p < n; p++) (first[p + 1] as number) += first[p] as number;
  const end = first.slice();
  const neighbours = new Uint32Array(edges.length);
  for (let k = 0; k < edges.length; k++) neighbours[(end[edges[k] as number] as number)++] = edges[k ^ 1] as number;
  return { first, neighbours };
}

/**
 * Whether c and d, on either side of the edge a b, lie on one circle with it: their angles over the edge then sum to half a turn. Such an
 * edge is a matter of taste (the other diagonal would do as well) and bounds no Voronoi cell; without it the graph is unique.
 */
function onOneCircle(places: Float64Array, a: number, b: number, c: number, d: number): boolean {
  const x = (p: number, q: number) => (places[p * 2] as number) - (places[q * 2] as number);
  const y = (p: number, q: number) => (places[p * 2 + 1] as number) - (places[q * 2 + 1] as number);
  // Sine and cosine of the angles from a to b as c and d see them, from opposite sides, times the lengths of the sides.
  const sineC = x(a, c) * y(b, c) - y(a, c) * x(b, c);
  const cosineC = x(a, c) * x(b, c) + y(a, c) * y(b, c);
  const sineD = x(a, d) * y(b, d) - y(a, d) * x(b, d);
  const cosineD = x(a, d) * x(b, d) + y(a, d) * y(b, d);
  const sine = sineC * cosineD - cosineC * sineD;
  const cosine = cosineC * cosineD + sineC * sineD;
  return cosine < 0 && Math.abs(sine) <= -1e-9 * cosine; // beside half a turn sine over cosine is what is left of the angle
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

  /** Neighbours of p: neighbours[begin] to neighbours[end - 1]. */
  of(p: number, neighbours: Uint32Array, begin: number, end: number): number {
    const px = this.places[p * 2] as number;
    const py = this.places[p * 2 + 1] as number;
    // As seen from p: areas far from the origin then lose nothing.
    this.polygon.length = 0;
    for (let i = 0; i < 8; i += 2) this.polygon.push((this.corners[i] as number) - px, (this.corners[i + 1] as number) - py);
    for (let k = begin; k < end; k++) {
      const q = neighbours[k] as number;
      this.keepNear((this.places[q * 2] as number) - px, (this.places[q * 2 + 1] as number) - py);
    }
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
      const x = polygon[i] as number;
      const y = polygon[i + 1] as number;
      const toX = polygon[j] as number;
      const toY = polygon[j + 1] as number;
      const here = x * dx + y * dy - half; // above 0: beyond the bisector
      const there = toX * dx + toY * dy - half;
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
