import type { Test } from 'tap';

/** Checks two numbers up to rounding in float64, relative to the greater of 1 and the expected one. */
export function close(t: Test, actual: number, expected: number, text: string, tolerance = 1e-12): void {
  const same = Object.is(actual, expected) || Math.abs(actual - expected) <= tolerance * Math.max(1, Math.abs(expected));
  t.ok(same, `${text}: ${actual}, expected ${expected}`);
}
