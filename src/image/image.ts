/**
 * An image in memory: rows from the top left, the channels of a pixel side by side. RGB is `channels: 3`; grey is `channels: 1`.
 */
export interface RasterImage {
  /** Pixels per row. */
  width: number;
  /** Rows. */
  height: number;
  channels: 1 | 3;
  /** `height * width * channels` values; 8-bit for ordinary H&E. */
  data: Uint8Array | Uint16Array | Float32Array | Float64Array;
  /** Micrometres per pixel, along x and y; absent where neither the file nor the user gave it. */
  mpp?: readonly [x: number, y: number] | undefined;
  /** Where it came from, for messages. */
  name?: string | undefined;
}

/** One channel of an image: `height * width` values in rows from the top left. */
export type Plane = Uint8Array | Uint16Array | Float32Array | Float64Array;

/** A label image: each pixel holds the id of its cell, 0 for none. Ids need not be consecutive. */
export interface LabelMask {
  width: number;
  height: number;
  /** `height * width` ids. */
  data: Uint32Array;
  /** Where it came from, for messages. */
  name?: string | undefined;
}

/** Something a user should know about an input that can still be used. `code` is stable; the text is for people. */
export interface ImageWarning {
  code: string;
  message: string;
}
