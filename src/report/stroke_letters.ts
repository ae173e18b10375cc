// Letters made of strokes, for legends: drawn with lines, so pictures need no font and are the same bytes everywhere.
import type { LineLayer } from './line_drawing.js';

// Each stroke is a way through a grid of 5 x 9 points, written as digits x, y, x, y, ...: capitals stand from 0 to 6, small letters
// from 2 to 6, descenders reach 8.
const strokes: Readonly<Record<string, string>> = Object.freeze({
  A: '062046 1434',
  B: '06003041423303 3344453606',
  C: '4130100105163645',
  D: '00063645413000',
  E: '40000646 0333',
  F: '400006 0333',
  G: '41301001051636454323',
  H: '0006 4046 0343',
  I: '2026',
  J: '4045361605',
  K: '0006 4004 1346',
  L: '000646',
  M: '0600234046',
  N: '06004640',
  O: '100105163645413010',
  P: '06003041423303',
  Q: '100105163645413010 2446',
  R: '06003041423303 2346',
  S: '413010010213334445361605',
  T: '0040 2026',
  U: '000516364540',
  V: '002640',
  W: '0016223640',
  X: '0046 4006',
  Y: '002340 2326',
  Z: '00400646',
  a: '12324346 441405163645',
  b: '0006 0312324345361605',
  c: '4332120305163645',
  d: '4046 4332120305163645',
  e: '04444332120305163645',
  f: '302126 1232',
  g: '4332120305163645 4247381807',
  h: '0006 0312324346',
  i: '2226 2020',
  j: '32372818 3030',
  k: '0006 4205 1446',
  l: '101526',
  m: '0206 03122326 23324346',
  n: '0206 0312324346',
  o: '120305163645433212',
  p: '0208 0312324345361605',
  q: '4248 4332120305163645',
  r: '0206 03122232',
  s: '43321203143445361605',
  t: '202536 1232',
  u: '0205163645 4246',
  v: '022642',
  w: '0216233642',
  x: '0246 4206',
  y: '0226 4218',
  z: '02420646',
  0: '100105163645413010 1531',
  1: '112026',
  2: '01103041420646',
  3: '01103041423323 334445361605',
  4: '36300444',
  5: '400003334445361605',
  6: '4130100105163645443303',
  7: '004016',
  8: '100102133342413010 1304051636454433',
  9: '4313020110304145361605',
  '.': '2626',
  ',': '2617',
  '-': '1333',
  _: '0747',
  '(': '30212536',
  ')': '10212516',
  ':': '2323 2626',
  '/': '0640',
  '+': '2226 0444',
  '%': '0640 0101 4545',
  '=': '0343 0545',
  "'": '2021',
  '<': '324436',
  '>': '124416',
  '&': '46121030322405163644',
  ' ': '',
}); // prettier-ignore

/** A box, for what has no letter here. */
const unknown = '0040460600';

function glyph(letter: string): { ways: [x: number, y: number][][]; left: number; right: number } {
  const text = Object.hasOwn(strokes, letter) ? (strokes[letter] as string) : unknown;
  const ways = text
    .split(' ')
    .filter((way) => way !== '')
    .map((way) => Array.from({ length: way.length / 2 }, (_, i) => [Number(way[2 * i]), Number(way[2 * i + 1])] as [number, number]));
  const xs = ways.flat().map(([x]) => x);
  return { ways, left: xs.length > 0 ? Math.min(...xs) : 0, right: xs.length > 0 ? Math.max(...xs) : 1 };
}

/** Space between letters, in units of the grid. */
const gap = 1.8;

/** The width of a text whose capitals are `size` pixels high. */
export function textWidth(text: string, size: number): number {
  return [...text].reduce((sum, letter) => {
    const { left, right } = glyph(letter);
    return sum + ((right - left + gap) * size) / 6;
  }, 0);
}

/** Writes a text, its top left at (x, y), its capitals `size` pixels high. Returns where it ends. */
export function drawText(layer: LineLayer, text: string, x: number, y: number, size: number, ink: number): number {
  const unit = size / 6;
  let at = x;
  for (const letter of text) {
    const { ways, left, right } = glyph(letter);
    for (const way of ways) {
      for (let i = 0; i < Math.max(1, way.length - 1); i++) {
        const [ax, ay] = way[i] as [number, number];
        const [bx, by] = way[Math.min(i + 1, way.length - 1)] as [number, number];
        layer.line(at + (ax - left) * unit, y + ay * unit, at + (bx - left) * unit, y + by * unit, Math.max(1, size / 8), ink);
      }
    }
    at += (right - left + gap) * unit;
  }
  return at;
}
