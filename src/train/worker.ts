// What runs in a thread of its own: one task, whose messages and result go to the thread that started it (off_thread.ts).
import { parentPort, workerData } from 'node:worker_threads';
import { UamError } from '../errors.js';
import { setAlone, setBackend } from '../native/device.js';
import { runTask, type ThreadTask } from './thread_task.js';

async function work(port: NonNullable<typeof parentPort>): Promise<void> {
  const ending = new AbortController();
  port.on('message', () => ending.abort());
  try {
    const { task, backend } = workerData as ThreadTask;
    setBackend(backend);
    setAlone(task.predict?.sharing !== undefined);
    let told = 0;
    const result = await runTask(task, {
      signal: ending.signal,
      onProgress: (progress) => {
        // Steps may take less than a millisecond: nobody wants to hear of each.
        const now = performance.now();
        if (progress.phase === 'train' && now - told < 20) return;
        told = now;
        port.postMessage({ progress });
      },
    });
    port.postMessage({ result });
  } catch (error) {
    const { code, message, stack } = error as UamError;
    port.postMessage({ failure: { code: error instanceof UamError ? code : undefined, message, stack } });
  } finally {
    port.removeAllListeners('message');
    port.unref();
  }
}

if (parentPort) void work(parentPort);
