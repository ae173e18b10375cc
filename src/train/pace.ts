import { setImmediate as turn } from 'node:timers/promises';
import { UamError } from '../errors.js';

/** How long work may hold the event loop before others get a turn, in milliseconds. */
const SLICE = 10;

/** Throws where a signal has ended the work. */
export function refuseAborted(what: string, signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new UamError('UAM_ABORTED', `${what} was ended by its signal`, { cause: signal.reason });
}

/** Keeps long work from holding the event loop: `await pace.rest()` between pieces of it. */
export class Pace {
  #since = performance.now();

  constructor(
    private readonly what: string,
    private readonly signal?: AbortSignal | undefined,
  ) {}

  /**
   * Lets others have their turn where some milliseconds have passed since they last had one.
   *
   * @throws UamError `UAM_ABORTED`
   */
  async rest(): Promise<void> {
    refuseAborted(this.what, this.signal);
    if (performance.now() - this.#since < SLICE) return;
    await turn();
    this.#since = performance.now();
    refuseAborted(this.what, this.signal);
  }
}
