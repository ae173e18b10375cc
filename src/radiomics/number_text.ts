// Float64 numbers as decimal text, written straight into bytes: as `String(x)` prints them, digit for digit, in a third of the time.
// A table of cells is nearly all numbers, so this is where writing one as CSV spends its time.

/** 10^0 to 10^22, which float64 holds exactly, and the upper halves of their bits. */
const POWERS = Float64Array.from({ length: 23 }, (_, k) => Number(`1e${k}`));
const UPPER = POWERS.map(upperHalf);

/** The upper 26 bits of a number: what remains is exact too, and products of halves have no rounding (Veltkamp 1968, Dekker 1971). */
function upperHalf(x: number): number {
  const c = 134217729 * x;
  return c - (c - x);
}

/** Half of the distance to the next float64, for numbers from 2^-20 on. */
const HALF_GAPS = Float64Array.from({ length: 70 }, (_, i) => 2 ** (i - 73));

/** What a number can take at most: `-1.2345678901234567e-308`. */
export const LONGEST_NUMBER = 25;

/** Where the arithmetic below cannot tell two candidates apart, to be on the safe side of its error of 2^-26. */
const DOUBT = 1e-6;

/** Writes numbers into bytes. */
export class NumberText {
  readonly #float = new Float64Array(1);
  readonly #words = new Uint32Array(this.#float.buffer);
  readonly #high = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1 ? 1 : 0; // the word with the exponent
  /** The digits of 0000 to 9999; made here, because making them takes as long as loading ten modules. */
  readonly #groups = Uint8Array.from({ length: 40_000 }, (_, i) => 48 + (Math.floor((i >> 2) / 10 ** (3 - (i & 3))) % 10));
  /** 17 digits, in a frame of groups of four. */
  readonly #digits = new Uint8Array(20);

  /**
   * Writes `value` at `at`, where `LONGEST_NUMBER` bytes must be free; nothing for NaN.
   *
   * @returns where to go on
   */
  write(bytes: Uint8Array, at: number, value: number): number {
    if (value === (value | 0)) return this.#whole(bytes, at, value);
    if (Number.isNaN(value)) return at;
    const size = Math.abs(value);
    if (!(size >= 1e-6 && size < 1e15)) return this.#slowly(bytes, at, value);
    return this.#fraction(bytes, at, value, size);
  }

  #whole(bytes: Uint8Array, at: number, value: number): number {
    let rest = value;
    if (rest < 0 || (rest === 0 && 1 / value < 0)) {
      bytes[at++] = 45;
      rest = -rest;
    }
    let end = at + 1;
    for (let n = rest; n >= 10; n /= 10) end++;
    for (let i = end - 1; i >= at; i--) {
      const next = Math.floor(rest / 10);
      bytes[i] = 48 + (rest - 10 * next);
      rest = next;
    }
    return end;
  }

  /** What is rare: very large, very small, or too near to call. */
  #slowly(bytes: Uint8Array, at: number, value: number): number {
    const text = String(value);
    for (let i = 0; i < text.length; i++) bytes[at + i] = text.charCodeAt(i);
    return at + text.length;
  }

  /**
   * The fewest digits that read back as the same number, and of those the nearest.
   *
   * `w = size * 10^k` has 17 digits before the point. It is computed exactly, as a sum of two float64, and cut into `a * 10^8 + b`. All
   * numbers within `half` of `w` read back as `size`: so the answer is the multiple of the highest power of ten that lies in there.
   */
  #fraction(bytes: Uint8Array, at: number, value: number, size: number): number {
    this.#float[0] = size;
    const high = this.#words[this.#high] as number;
    // Below a power of two the numbers lie closer than above it.
    if ((high & 0xfffff) === 0 && this.#words[1 - this.#high] === 0) return this.#slowly(bytes, at, value);
    const exponent = (high >>> 20) - 1023;
    let k = Math.min(22, 16 - Math.floor(exponent * 0.3010299956639812));
    let product = size * (POWERS[k] as number);
    if (product >= 1e17) product = size * (POWERS[--k] as number);
    const power = POWERS[k] as number;
    const p1 = UPPER[k] as number;
    const p2 = power - p1;
    const s1 = upperHalf(size);
    const s2 = size - s1;
    const rest = s1 * p1 - product + s1 * p2 + s2 * p1 + s2 * p2;
    let a = Math.floor(product / 1e8);
    let b = product - a * 1e8 + rest;
    if (b < 0) {
      a--;
      b += 1e8;
    }
    const half = power * (HALF_GAPS[exponent + 20] as number);
    let best = Math.round(b);
    if (Math.abs(Math.abs(b - best) - 0.5) < DOUBT) return this.#slowly(bytes, at, value);
    for (let step = 10; step <= 1e8; step *= 10) {
      const candidate = Math.round(b / step) * step;
      const distance = Math.abs(b - candidate);
      if (Math.abs(distance - half) < DOUBT || Math.abs(distance - step / 2) < DOUBT) return this.#slowly(bytes, at, value);
      if (distance > half) break;
      best = candidate;
    }
    if (best >= 1e8) {
      a++;
      best -= 1e8;
    }
    // Where a number was rounded up to the next power of ten, or 17 digits were not reached.
    if (a >= 1e9 || a < 1e8) return this.#slowly(bytes, at, value);
    if (value < 0) bytes[at++] = 45;
    this.#split(a, best);
    return this.#place(bytes, at, 16 - k);
  }

  /** The digits of `a * 10^8 + b`, from place 3 of the frame. */
  #split(a: number, b: number): void {
    const digits = this.#digits;
    // Below 2^31: `| 0` cuts as floor does, and the rest is integer arithmetic.
    const top = (a / 1e8) | 0;
    const a4 = (a / 1e4) | 0;
    const b4 = (b / 1e4) | 0;
    digits[3] = 48 + top;
    this.#four(4, a4 - top * 1e4);
    this.#four(8, a - a4 * 1e4);
    this.#four(12, b4);
    this.#four(16, b - b4 * 1e4);
  }

  #four(at: number, value: number): void {
    const from = value << 2;
    this.#digits[at] = this.#groups[from] as number;
    this.#digits[at + 1] = this.#groups[from + 1] as number;
    this.#digits[at + 2] = this.#groups[from + 2] as number;
    this.#digits[at + 3] = this.#groups[from + 3] as number;
  }

  /** Puts the point in: the first digit counts 10^`exponent`. */
  #place(bytes: Uint8Array, at: number, exponent: number): number {
    const digits = this.#digits;
    let last = 19;
    while (digits[last] === 48) last--;
    let from = 3;
    if (exponent < 0) {
      bytes[at++] = 48;
      bytes[at++] = 46;
      for (let i = -1; i > exponent; i--) bytes[at++] = 48;
    } else {
      const point = 3 + exponent;
      while (from <= point) bytes[at++] = digits[from++] as number;
      if (last > point) bytes[at++] = 46;
    }
    while (from <= last) bytes[at++] = digits[from++] as number;
    return at;
  }
}
