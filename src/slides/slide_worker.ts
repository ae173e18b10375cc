// What runs in a thread of a slide's run: items, one after the other, as they come (slide_threads.ts).
import { parentPort, workerData } from 'node:worker_threads';
import { UamError } from '../errors.js';
import { setAlone, setBackend } from '../native/device.js';
import { TileModel } from '../train/tile_model.js';
import { doItem } from './slide_items.js';
import type { SlideItem } from './slide_task.js';
import type { ThreadMessage, ThreadStart } from './slide_threads.js';
import { SlideWork } from './slide_work.js';

function serve(port: NonNullable<typeof parentPort>): void {
  const { task, backend, device } = workerData as ThreadStart;
  const ending = new AbortController();
  setBackend(backend);
  setAlone(true);
  const work = new SlideWork(task, (path) => TileModel.load(path, { device }), ending.signal);
  port.on('message', async (message: 'abort' | { item: SlideItem }) => {
    if (message === 'abort') return ending.abort();
    const answer: ThreadMessage = await doItem(work, message.item).then(
      (report) => ({ report }),
      (error: Error) => ({
        failure: { code: error instanceof UamError ? error.code : undefined, message: error.message, stack: error.stack },
      }),
    );
    port.postMessage(answer);
  });
}

if (parentPort) serve(parentPort);
