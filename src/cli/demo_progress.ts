// How far the demo is: a bar on a terminal, and a line per step that stays.
import type { FitProgress } from '../train/fit_options.js';
import { bar, clock } from './progress.js';
import type { Session } from './session.js';

export class DemoProgress {
  #since = performance.now();

  constructor(private readonly session: Pick<Session, 'log' | 'progress'>) {}

  /** Something of the step in work is done. */
  update(doing: string, done: number, total: number): void {
    this.session.progress.update((seconds, width) =>
      `${bar(total > 0 ? done / total : 0)} ${doing}  ${clock(seconds)}`.slice(0, Math.max(0, width)),
    );
  }

  /** Training tells what it does in its own words. */
  readonly training = ({ done, total, epoch, loss }: FitProgress): void => {
    if (epoch !== undefined)
      this.update(`learning, epoch ${epoch + 1}${loss === undefined ? '' : `, loss ${loss.toFixed(3)}`}`, done, total);
  };

  /** A step is done: says so, and how long it took. */
  done(what: string): void {
    const now = performance.now();
    this.session.log.info(`${what} (${((now - this.#since) / 1000).toFixed(1)} s)`);
    this.#since = now;
  }
}
