// `uam demo` with tiles so small, and a model so simple, that it takes a second.

import type { DemoFlags } from '../../src/cli/demo.js';
import { runDemo } from '../../src/cli/demo.js';
import type { DemoPlan } from '../../src/cli/demo_plan.js';
import { Log } from '../../src/cli/log.js';
import { packageEngine } from '../../src/cli/package_engine.js';
import { Progress } from '../../src/cli/progress.js';
import type { Session } from '../../src/cli/session.js';

export const SMALL_PLAN: DemoPlan = {
  tiles: { train: 2, validation: 1, test: 2 },
  side: 64,
  shownSide: 90,
  model: { width: 16, depth: 1, heads: 2, state: 4, ffn: 16, tokens: 'cell' },
  training: { epochs: 2, batch: 1 },
  resamples: 20,
};

/** What a run said on standard output, and on standard error line by line. */
export interface Said {
  stdout: string;
  stderr: string[];
}

/** Runs it; `onMessage` is called with each message, and may abort. */
export async function smallDemo(
  flags: DemoFlags,
  signal = new AbortController().signal,
  onMessage?: (text: string) => void,
): Promise<Said> {
  const said: Said = { stdout: '', stderr: [] };
  const write = (text: string) => {
    said.stderr.push(text);
    onMessage?.(text);
  };
  const session: Session = {
    log: new Log({ format: 'text', quiet: false, write }),
    progress: new Progress({ isTTY: false, write: () => {} }, false),
    ...{ signal, unfinished: new Set(), farewell: '', patience: 1000 },
    print: async (text) => {
      said.stdout += text;
    },
  };
  await runDemo(flags, { session, engine: async () => packageEngine }, SMALL_PLAN);
  return said;
}
