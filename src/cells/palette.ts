/** Red, green and blue, 0 to 255. */
export type Rgb = readonly [red: number, green: number, blue: number];

/** Colours of classes. Told apart also with impaired colour vision: Okabe and Ito, Color Universal Design, 2008. */
export const PALETTE: readonly Rgb[] = Object.freeze([
  [213, 94, 0],
  [0, 114, 178],
  [0, 158, 115],
  [204, 121, 167],
  [230, 159, 0],
  [86, 180, 233],
  [240, 228, 66],
  [100, 100, 100],
] as const);
