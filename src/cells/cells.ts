/** The cells of a label image, in the order of their ids. Entry `i` of each array speaks of the same cell. */
export interface Cells {
  count: number;
  /** The ids as the mask gives them, rising. */
  ids: Uint32Array;
  /** `[count, 4]`: x0, y0, x1, y1 in pixels; x1 and y1 are the first column and row outside. */
  boxes: Int32Array;
  /** Pixels per cell. */
  areas: Uint32Array;
  /** `[count, 2]`: x and y of the mean of the pixel centres, in pixels; the centre of the first pixel is (0, 0). */
  centroids: Float64Array;
  /** 1 where a pixel of the cell lies in the first or last row or column of the image. */
  touchesBorder: Uint8Array;
}
