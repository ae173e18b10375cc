// Tiles that lie over each other: where they begin, and what each one's word weighs. "Slides" in section 5 of the specification.

/** Least weight of a place in a tile: what only the rim of one tile covers still has an answer. */
const LEAST_WEIGHT = 1e-3;

/**
 * What a place in a tile weighs along one axis: sin^2(pi x / side), at least 1e-3.
 *
 * @param at distance from the tile's first edge: the centre of pixel i is at i + 1/2
 * @param side of the tile
 */
export const weightAt = (at: number, side: number): number => Math.max(Math.sin((Math.PI * at) / side) ** 2, LEAST_WEIGHT);

/** Where pieces of `side` begin that cover `length`, `stride` apart; the last one is shifted inward. One piece where they are longer. */
export function startsOf(length: number, side: number, stride: number): number[] {
  const starts = [0];
  while ((starts.at(-1) as number) + side < length) starts.push(Math.min((starts.at(-1) as number) + stride, length - side));
  return starts;
}
