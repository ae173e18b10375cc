import type { Test } from 'tap';
import { UamError, type UamErrorCode } from '../../src/errors.js';

/** Checks that a promise ends in a `UamError` of this code whose text says what it should. */
export async function rejectsWith(t: Test, promise: Promise<unknown>, code: UamErrorCode, text: RegExp): Promise<void> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof UamError)) return void t.fail(`expected ${code} ${text}, received ${error}`);
  t.equal(error.code, code, error.message);
  t.match(error.message, text, code);
}

/** As `rejectsWith`, of what is thrown at once. */
export function throwsWith(t: Test, work: () => unknown, code: UamErrorCode, text: RegExp): void {
  try {
    work();
  } catch (error) {
    if (!(error instanceof UamError)) return void t.fail(`expected ${code} ${text}, received ${error}`);
    t.equal(error.code, code, error.message);
    return void t.match(error.message, text, code);
  }
  t.fail(`expected ${code} ${text}, and nothing was thrown`);
}

/** Checks two long arrays, value by value; says where they differ first. (t.same would print them.) */
export function sameValues(t: Test, actual: ArrayLike<number | bigint>, expected: ArrayLike<number | bigint>, text: string): void {
  if (actual.length !== expected.length) return void t.fail(`${text}: ${actual.length} values, expected ${expected.length}`);
  for (let i = 0; i < actual.length; i++) {
    if (!Object.is(actual[i], expected[i])) return void t.fail(`${text}: value ${i} is ${actual[i]}, expected ${expected[i]}`);
  }
  t.pass(text);
}
