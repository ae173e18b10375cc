// Threads that do items of a run. Each has its own opened slide, its own model, and kernels to itself.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { UamError, type UamErrorCode } from '../errors.js';
import { type Backend, currentBackend } from '../native/device.js';
import { here } from '../native/here.js';
import { TileModel } from '../train/tile_model.js';
import { doItem } from './slide_items.js';
import type { SlideModel } from './slide_model.js';
import type { ItemReport, SlideItem, SlideTask } from './slide_task.js';
import { SlideWork } from './slide_work.js';
import { type OrderedItem, Schedule } from './work_order.js';

/** Whoever does items, one at a time. */
export interface SlideThread {
  run(item: SlideItem): Promise<ItemReport>;
  close(): Promise<void>;
}

/** What a thread is started with. */
export interface ThreadStart {
  task: SlideTask;
  backend: Backend;
  /** Where the model computes: see `ChosenDevice`. */
  device: string;
}

/** What a thread answers. */
export interface ThreadMessage {
  report?: ItemReport;
  failure?: { code?: UamErrorCode | undefined; message: string; stack?: string | undefined };
}

/** Does the items on the thread that asks. */
export function localThread(
  task: SlideTask,
  signal: AbortSignal | undefined,
  loadModel: (path: string) => Promise<SlideModel>,
): SlideThread {
  const work = new SlideWork(task, loadModel, signal);
  return { run: (item) => doItem(work, item), close: () => work.close() };
}

/** Starts threads; where the package was bundled and their file is not there, the items are done on this one. */
export function startThreads(task: SlideTask, count: number, device: string, signal?: AbortSignal): SlideThread[] {
  const file = fileURLToPath(new URL('../slides/slide_worker.js', here));
  if (!existsSync(file)) return [localThread(task, signal, (path) => TileModel.load(path, { device }))];
  return Array.from({ length: count }, () => workerThread(file, { task, backend: currentBackend(), device }, signal));
}

function workerThread(file: string, workerData: ThreadStart, signal: AbortSignal | undefined): SlideThread {
  // The thread runs a file of this package: what the process was started with (`--input-type`, loaders) is not for it.
  const worker = new Worker(file, { workerData, execArgv: [] });
  const abort = () => worker.postMessage('abort');
  if (signal?.aborted) abort();
  signal?.addEventListener('abort', abort, { once: true });
  let settle: { resolve(report: ItemReport): void; reject(error: unknown): void } | undefined;
  let gone: unknown;
  const fail = (error: unknown) => {
    gone = error;
    settle?.reject(error);
  };
  worker.on('message', ({ report, failure }: ThreadMessage) => {
    if (report) settle?.resolve(report);
    else if (failure) settle?.reject(errorOf(failure));
  });
  worker.on('error', fail);
  worker.on('exit', (code) => fail(new UamError('UAM_NATIVE', `a thread ended with code ${code} before its work`)));
  return {
    run: (item) =>
      new Promise((resolve, reject) => {
        settle = { resolve, reject };
        if (gone) reject(gone);
        else worker.postMessage({ item });
      }),
    async close() {
      signal?.removeEventListener('abort', abort);
      settle = undefined;
      await worker.terminate();
    },
  };
}

function errorOf({ code, message, stack }: NonNullable<ThreadMessage['failure']>): Error {
  const error = code ? new UamError(code, message) : new Error(message);
  if (stack) error.stack = stack;
  return error;
}

/**
 * Works off items: every thread takes the next one that is possible. After a failure the others end what they are at.
 *
 * @param done names of items that need not be done
 * @param onDone called after each item; the next one of that thread waits for it
 */
export async function workOff(
  threads: readonly SlideThread[],
  order: readonly OrderedItem[],
  done: ReadonlySet<string>,
  onDone: (item: SlideItem, report: ItemReport) => Promise<void> | void,
): Promise<void> {
  const schedule = new Schedule(order, done);
  const runs = threads.map(async (thread) => {
    try {
      for (let item = await schedule.next(); item; item = await schedule.next()) {
        const report = await thread.run(item);
        await onDone(item, report);
        schedule.finished(item);
      }
    } catch (error) {
      schedule.stop();
      throw error;
    }
  });
  const failed = (await Promise.allSettled(runs)).find((run) => run.status === 'rejected');
  if (failed) throw failed.reason;
}

/** Items that wait for nothing but each other's phase. */
export const together = (items: readonly SlideItem[]): OrderedItem[] => items.map((item) => ({ item, needs: [] }));
