/** High and low 32 bits of a * b. */
function multiply(a: number, b: number): [number, number] {
  const low = Math.imul(a, b) >>> 0;
  const high = Number((BigInt(a >>> 0) * BigInt(b >>> 0)) >> 32n);
  return [high, low];
}

/** The four words of Philox4x32-10 (Salmon et al., SC 2011) for a counter and a key. */
export function philox(
  counter: readonly [number, number, number, number],
  key: readonly [number, number],
): [number, number, number, number] {
  let [c0, c1, c2, c3] = counter;
  let [k0, k1] = key;
  for (let round = 0; round < 10; round++) {
    const [high0, low0] = multiply(0xd2511f53, c0);
    const [high1, low1] = multiply(0xcd9e8d57, c2);
    [c0, c1, c2, c3] = [(high1 ^ c1 ^ k0) >>> 0, low1, (high0 ^ c3 ^ k1) >>> 0, low0];
    k0 = (k0 + 0x9e3779b9) >>> 0;
    k1 = (k1 + 0xbb67ae85) >>> 0;
  }
  return [c0, c1, c2, c3];
}

/** Element i of the uniform sequence of (seed, step, stream): the order of words is that of native/philox.h. */
export function uniformAt(seed: number, step: number, stream: number, i: number): number {
  const counter = Math.floor(i / 64) * 16 + (i % 16);
  const words = philox([counter >>> 0, Math.floor(counter / 2 ** 32), stream, 0], [seed, step]);
  return ((words[Math.floor(i / 16) % 4] as number) >>> 8) * 2 ** -24;
}
