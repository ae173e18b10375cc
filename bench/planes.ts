// Planes for the benches of filters: the size of a field of view.
export const width = 2048;
export const height = 2048;
export const pixels = width * height;
export const field = `${width} x ${height}`;

/** Whole numbers from 0 to 255, the same in every run. */
export function greyPlane(): Float64Array {
  let state = 1;
  return Float64Array.from({ length: pixels }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state >>> 24;
  });
}
