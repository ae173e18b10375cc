// The eight ways to lay a rectangle on itself, applied to all that a tile has: pixels, region masks, places and boxes.

/** First mirrored along x (1), along y (2), then x and y exchanged (4): any sum of these, 0 to 7. */
export type Way = number;

/** A part of an image: its first pixel, and its size. */
export interface Window {
  x: number;
  y: number;
  width: number;
  height: number;
}

const flips = (way: Way) => ({ x: (way & 1) !== 0, y: (way & 2) !== 0, swap: (way & 4) !== 0 });

/** Width and height after a turn. */
export const turnedSize = ({ width, height }: Pick<Window, 'width' | 'height'>, way: Way): [width: number, height: number] =>
  flips(way).swap ? [height, width] : [width, height];

/**
 * A window of an image, turned.
 *
 * @param data `[height, width, channels]` of the whole image
 * @param width of the whole image
 */
export function turnedPixels(data: Uint8Array, width: number, channels: number, window: Window, way: Way): Uint8Array {
  const { x: flipX, y: flipY, swap } = flips(way);
  const [columns, rows] = turnedSize(window, way);
  const out = new Uint8Array(columns * rows * channels);
  let at = 0;
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const [u, v] = swap ? [row, column] : [column, row];
      const x = window.x + (flipX ? window.width - 1 - u : u);
      const y = window.y + (flipY ? window.height - 1 - v : v);
      const from = (y * width + x) * channels;
      for (let c = 0; c < channels; c++) out[at++] = data[from + c] as number;
    }
  }
  return out;
}

/**
 * Places in a turned tile, in place.
 *
 * @param places `[n, 2]`, counted from the centre of the first pixel
 * @param far x and y of the centre of the last pixel
 */
export function turnPlaces(places: Float64Array, far: readonly [x: number, y: number], way: Way): void {
  const { x: flipX, y: flipY, swap } = flips(way);
  for (let i = 0; i < places.length; i += 2) {
    const x = flipX ? far[0] - (places[i] as number) : (places[i] as number);
    const y = flipY ? far[1] - (places[i + 1] as number) : (places[i + 1] as number);
    places[i] = swap ? y : x;
    places[i + 1] = swap ? x : y;
  }
}

/** Boxes `[n, 4]` (x0, y0, x1, y1) in a turned tile, in place: corners turn as places do, and are put in order again. */
export function turnBoxes(boxes: Float64Array, far: readonly [x: number, y: number], way: Way): void {
  turnPlaces(boxes, far, way);
  for (let i = 0; i < boxes.length; i += 4) {
    for (const axis of [0, 1]) {
      const [a, b] = [boxes[i + axis] as number, boxes[i + 2 + axis] as number];
      boxes[i + axis] = Math.min(a, b);
      boxes[i + 2 + axis] = Math.max(a, b);
    }
  }
}
