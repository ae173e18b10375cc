import { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import type { Output } from './output_file.js';

/** What is written is compressed on its way to the file, on a thread of libuv's pool. */
export function gzipped(file: Output): Output {
  // Digits are nearly random: higher levels take several times as long for a few per cent.
  const gzip = createGzip({ level: 1 });
  const sink = new Writable({ write: (bytes: Uint8Array, _encoding, done) => void file.write(bytes).then(() => done(), done) });
  const finished = pipeline(gzip, sink);
  finished.catch(() => {}); // whoever writes or closes next is told
  return {
    ...(file.temporary === undefined ? {} : { temporary: file.temporary }),
    write: (bytes) =>
      new Promise<void>((resolve, reject) => {
        gzip.write(bytes, (error) => (error ? finished.then(() => reject(error), reject) : resolve()));
      }),
    async close() {
      gzip.end();
      await finished;
      await file.close();
    },
    async abort() {
      gzip.destroy();
      await finished.catch(() => {});
      await file.abort();
    },
  };
}
