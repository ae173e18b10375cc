// How long one piece of work keeps the event loop from turning.
import { readFileSync } from 'node:fs';

const schedule = `/proc/self/task/${process.pid}/schedstat`;

/** Milliseconds that this thread has run. On Linux its own time, which says nothing of how busy the machine is; elsewhere the clock's. */
function threadTime(): number {
  try {
    return Number(readFileSync(schedule, 'utf8').split(' ')[0]) / 1e6;
  } catch {
    return performance.now();
  }
}

/**
 * Runs some work, and looks at how long this thread ran between two turns of the event loop.
 *
 * @returns the five longest, in milliseconds, the longest first
 */
export async function longestHolds(work: () => Promise<unknown>): Promise<number[]> {
  const holds: number[] = [];
  let last = threadTime();
  let watching = true;
  const look = () => {
    const now = threadTime();
    holds.push(now - last);
    last = now;
    if (watching) setTimeout(look, 1);
  };
  look();
  try {
    await work();
  } finally {
    watching = false;
    look();
  }
  return holds.sort((a, b) => b - a).slice(0, 5);
}
