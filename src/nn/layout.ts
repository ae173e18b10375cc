import type { Tensor } from '../tensor/tensor.js';

/** Another order of the tokens: `to` lists the rows in that order, `back` where each row went. Sequences stay together. */
export interface ScanOrder {
  /** int32 [tokens] */
  to: Tensor;
  /** int32 [tokens] */
  back: Tensor;
}

/** Who sees whom, and from how far. */
export interface NeighbourLists {
  /** List i is indices[offsets[i]] to indices[offsets[i + 1] - 1]; [tokens + 1]. */
  offsets: Int32Array;
  /** int32 [edges], rows of the tokens. */
  indices: Tensor;
  /** [edges], the distance over the radius: 1 at the edge of the neighbourhood. */
  distances: Tensor;
}

/** How packed tokens belong together. Nothing ever crosses from one sequence to another. */
export interface TokenLayout {
  /** Sequence s holds the tokens offsets[s] to offsets[s + 1]; [sequences + 1]. */
  offsets: Int32Array;
  /** The order in which layers with an odd number scan; the others scan the tokens as they lie. Default: all do. */
  oddOrder?: ScanOrder | undefined;
  /** Attention sees these; default: every token of the own sequence. */
  neighbours?: NeighbourLists | undefined;
}
