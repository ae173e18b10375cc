import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { UamError, type UamErrorCode } from '../errors.js';
import { currentBackend, runtimeInfo } from '../native/device.js';
import { here } from '../native/here.js';
import type { FitCall } from './fit_loop.js';
import { refuseAborted } from './pace.js';
import { roomForAnswers } from './run_model.js';
import { type PredictTask, runTask, type Task, type TaskResult, type ThreadTask } from './thread_task.js';

/** Each thread holds a model and the numbers of a batch: beyond so many they would cost more memory than they save time. */
const MOST_THREADS = 8;

/** What a thread tells. */
interface Message {
  progress?: Parameters<NonNullable<FitCall['onProgress']>>[0];
  result?: TaskResult;
  failure?: { code?: UamErrorCode; message: string; stack?: string };
}

function errorOf({ code, message, stack }: NonNullable<Message['failure']>): Error {
  const error = code ? new UamError(code, message) : new Error(message);
  if (stack) error.stack = stack;
  return error;
}

/**
 * Does a task on a thread of its own, so that the event loop stays free however long one operation takes. The kernels' threads are
 * those of the process. Where the package was bundled and the thread's file is not there, the task runs here, in pieces.
 *
 * @throws UamError as the task does, and `UAM_ABORTED`
 */
export async function runOffThread(task: Task, { signal, onProgress }: FitCall = {}): Promise<TaskResult> {
  refuseAborted('the call', signal);
  const file = fileURLToPath(new URL('../train/worker.js', here));
  if (!existsSync(file)) return runTask(task, { signal, onProgress });
  return task.predict ? sharedOut(file, task.predict, { signal, onProgress }) : onThread(file, task, { signal, onProgress });
}

/** Several threads, each with kernels to itself: small products and what JavaScript does keep all processors busy then. */
async function sharedOut(file: string, task: PredictTask, { signal, onProgress }: FitCall): Promise<TaskResult> {
  const { threads, backend } = runtimeInfo();
  // One card has one queue to fill: threads would only stand in each other's way there.
  if (threads === 1 || backend !== 'cpu' || task.device !== 'cpu') return onThread(file, { predict: task }, { signal, onProgress });
  const { config, cells, embeddings } = task;
  const counts = new Int32Array(new SharedArrayBuffer(8));
  const shared: Task = { predict: { ...task, sharing: { answers: roomForAnswers(config, cells.cells, embeddings), counts } } };
  const ending = new AbortController();
  const abort = () => ending.abort(signal?.reason);
  signal?.addEventListener('abort', abort, { once: true });
  let told = 0;
  const tell = (progress: Parameters<NonNullable<FitCall['onProgress']>>[0]) => {
    if (progress.done <= told) return; // threads' messages may overtake each other
    told = progress.done;
    onProgress?.(progress);
  };
  const runs = Array.from({ length: Math.min(threads, MOST_THREADS) }, () =>
    onThread(file, shared, { signal: ending.signal, onProgress: tell }),
  );
  try {
    const [result] = await Promise.all(runs);
    return result as TaskResult;
  } catch (error) {
    ending.abort();
    await Promise.allSettled(runs);
    throw error;
  } finally {
    signal?.removeEventListener('abort', abort);
  }
}

async function onThread(file: string, task: Task, { signal, onProgress }: FitCall): Promise<TaskResult> {
  const workerData: ThreadTask = { task, backend: currentBackend() };
  // The thread runs a file of this package: what the process was started with (`--input-type`, loaders) is not for it.
  const worker = new Worker(file, { workerData, execArgv: [] });
  const abort = () => worker.postMessage('abort');
  signal?.addEventListener('abort', abort, { once: true });
  try {
    return await new Promise<TaskResult>((resolve, reject) => {
      worker.on('message', ({ progress, result, failure }: Message) => {
        if (result) resolve(result);
        else if (failure) reject(errorOf(failure));
        else if (progress) {
          try {
            onProgress?.(progress);
          } catch (error) {
            reject(error);
          }
        }
      });
      worker.on('error', reject);
      worker.on('exit', (code) => reject(new UamError('UAM_NATIVE', `the thread ended with code ${code} before its task`)));
    });
  } finally {
    signal?.removeEventListener('abort', abort);
    await worker.terminate();
  }
}
