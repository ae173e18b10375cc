import { PALETTE, type Rgb } from '../cells/palette.js';

/** Kinds of cells that many data sets have: one colour each, so that pictures of different models can be compared. */
const kinds: readonly (readonly [pattern: RegExp, color: Rgb])[] = Object.freeze([
  [/tumou?r|neoplas|malignan|cancer|carcinoma/i, [213, 94, 0]],
  [/lymph|inflam|immune|til\b/i, [0, 114, 178]],
  [/strom|connective|fibro/i, [0, 158, 115]],
] as const);

/**
 * A colour per class: the one asked for, else that of its kind (tumour, lymphocytes, stroma), else the next that is free of a palette
 * made for impaired colour vision.
 *
 * @param names the classes in the order of the model
 * @param given colours for some of them, 0 to 255
 * @example
 * console.log(classColors(['tumour', 'other'], { other: [1, 2, 3] })); // { tumour: [213, 94, 0], other: [1, 2, 3] }
 */
export function classColors(names: readonly string[], given: Readonly<Record<string, Rgb>> = {}): Record<string, Rgb> {
  const colors: Record<string, Rgb> = {};
  const used = new Set<string>();
  const take = (name: string, color: Rgb): void => {
    // defineProperty: a class may be called __proto__
    Object.defineProperty(colors, name, { value: color, enumerable: true, writable: true, configurable: true });
    used.add(color.join());
  };
  for (const name of names) if (Object.hasOwn(given, name)) take(name, given[name] as Rgb);
  for (const name of names) {
    if (Object.hasOwn(colors, name)) continue;
    const [, color] = kinds.find(([pattern, color]) => pattern.test(name) && !used.has(color.join())) ?? [];
    if (color) take(name, color);
  }
  let next = 0;
  for (const name of names) {
    if (Object.hasOwn(colors, name)) continue;
    const free = PALETTE.find((color) => !used.has(color.join()));
    take(name, free ?? (PALETTE[next++ % PALETTE.length] as Rgb));
  }
  return colors;
}
