/** Columns and rows of a plane. */
export interface PlaneSize {
  width: number;
  height: number;
}

/** Size of a pixel along x and y, in micrometres (or any unit that the other lengths share). */
export type Spacing = readonly [x: number, y: number];
