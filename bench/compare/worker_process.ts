// A worker that is a process of its own: one thread each, so that two trainings do not wait for one another's threads.
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Job } from './jobs.js';
import type { Worker } from './run_jobs.js';

type Answer = Awaited<ReturnType<Worker['run']>>;

export class WorkerProcess implements Worker {
  #child: ChildProcess | undefined;

  /**
   * @param program the file that does the jobs, in this folder
   * @param setup what it is told at its start
   */
  constructor(
    private readonly program: 'worker_main.js' | 'joint_worker_main.js',
    private readonly setup: object,
  ) {}

  #start(): ChildProcess {
    const file = fileURLToPath(new URL(this.program, import.meta.url));
    const child = fork(file, [JSON.stringify(this.setup)], { env: { ...process.env, UAM_THREADS: '1' } });
    child.once('exit', () => {
      if (this.#child === child) this.#child = undefined;
    });
    return child;
  }

  /** A process that dies fails its job only: the next one gets a new process. */
  run(job: Job): Promise<Answer> {
    const child = (this.#child ??= this.#start());
    return new Promise((resolve) => {
      const ended = (code: number | null, signal: string | null) => {
        child.off('message', answered);
        resolve({ macroF1: undefined, failed: `the process ended with ${signal ?? code}`, seconds: 0 });
      };
      const answered = (answer: Answer) => {
        child.off('exit', ended);
        resolve(answer);
      };
      child.once('exit', ended);
      child.once('message', answered);
      child.send(job);
    });
  }

  stop(): void {
    if (this.#child?.connected) this.#child.disconnect();
  }
}
