// How long each turn of the event loop works: in time of the main thread's processor, so that a busy machine does not count.
import { readFileSync } from 'node:fs';

/** Milliseconds that the main thread has worked; where the system does not tell, milliseconds that have passed. */
function workOfThisThread(): number {
  try {
    return Number(readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'latin1').split(' ')[0]) / 1e6;
  } catch {
    return performance.now();
  }
}

/** Watches the event loop while `work` runs. Returns how many milliseconds each turn took, the longest first. */
export async function turnsDuring(work: () => Promise<unknown>): Promise<number[]> {
  const turns: number[] = [];
  let last = workOfThisThread();
  const turn = (): void => {
    const now = workOfThisThread();
    turns.push(now - last);
    last = now;
  };
  const timer = setInterval(turn, 1);
  try {
    await work();
  } finally {
    clearInterval(timer);
  }
  turn();
  return turns.sort((a, b) => b - a);
}
