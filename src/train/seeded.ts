/** Scrambles 32 bits (the finaliser of MurmurHash3, Appleby): every bit of the input moves every bit of the output. */
export function scramble(x: number): number {
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return (x ^ (x >>> 16)) >>> 0;
}

/**
 * Numbers in [0, 1) in multiples of 2^-32, the same for the same seed and stream: Doty-Humphrey's sfc32. For draws one after the other
 * on this thread; models draw from the counter-based generator of `ops`.
 */
export function seeded(seed: number, stream = 0): () => number {
  let a = scramble(seed ^ 0x9e3779b9);
  let b = scramble(stream ^ 0x7f4a7c15);
  let c = scramble(a ^ Math.imul(b, 0x2545f491));
  let counter = 1;
  const next = (): number => {
    const t = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + t;
    return (t >>> 0) / 4294967296;
  };
  for (let i = 0; i < 15; i++) next(); // until the seed has reached all of the state
  return next;
}
