// Tables as a CSV file that grows: text is gathered to a megabyte, and nothing more is made before that is written.
import { createReadStream } from 'node:fs';
import { createGunzip } from 'node:zlib';
import { UamError } from '../errors.js';
import { gzipped } from '../files/gzipped.js';
import { openOutput } from '../files/output_file.js';
import { CsvText, csvHeader } from './csv_text.js';
import type { CellRows } from './table_columns.js';
import type { RowWriter } from './table_writer.js';

const chunk = 1 << 20;

/**
 * @param append the file goes on after its present rows, whose header must be the same
 * @throws UamError `UAM_IO`, `UAM_SHAPE` where an appended table has other columns
 */
export async function openCsv(path: string, append: boolean): Promise<RowWriter> {
  const zipped = path.endsWith('.gz');
  const before = append && path !== '-' ? await firstAndLast(path, zipped) : undefined;
  const file = await openOutput(path, before !== undefined);
  const output = zipped ? gzipped(file) : file;
  const pending = new CsvText(chunk + (1 << 16));
  let started = false;

  const flush = async (): Promise<void> => {
    if (pending.length > 0) await output.write(pending.bytes);
    pending.clear();
  };

  return {
    temporary: file.temporary,
    async write(table: CellRows): Promise<void> {
      if (!started) {
        const header = csvHeader(table);
        if (before === undefined) pending.text(header);
        else if (before !== header) throw otherHeader(path, before, header);
        started = true;
      }
      for (let i = 0; i < table.length; i++) {
        pending.row(table, i);
        if (pending.length >= chunk) await flush();
      }
      if (path === '-') await flush(); // who reads along sees what there is
    },
    async close(): Promise<void> {
      await flush();
      await output.close();
    },
    abort: () => output.abort(),
  };
}

/** The header of a CSV that is to be continued, with its line feed; `undefined` where there is no such file yet. */
async function firstAndLast(path: string, zipped: boolean): Promise<string | undefined> {
  const file = createReadStream(path);
  const text = zipped ? file.pipe(createGunzip()) : file;
  file.on('error', (error) => text.destroy(error));
  let header = '';
  let ended = false;
  let last = -1;
  try {
    for await (const bytes of text as AsyncIterable<Buffer>) {
      if (!ended) {
        // Bytes as they are (latin1), turned into text once the line is whole: a chunk may end inside a character.
        const end = bytes.indexOf(10);
        header += bytes.toString('latin1', 0, end < 0 ? bytes.length : end + 1);
        ended = end >= 0;
      }
      last = bytes.at(-1) ?? last;
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new UamError('UAM_INPUT', `cannot append to ${path}: ${(error as Error).message}`, { cause: error });
  }
  if (last === -1) return undefined; // an empty file: start it
  if (last !== 10) throw new UamError('UAM_FORMAT', `cannot append to ${path}: its last line is cut off`);
  return Buffer.from(header, 'latin1').toString();
}

function otherHeader(path: string, before: string, header: string): UamError {
  const count = (line: string): number => line.split(',').length;
  return new UamError(
    'UAM_SHAPE',
    `cannot append to ${path}: its header names ${count(before)} columns, and not the ${count(header)} of this table in their order`,
  );
}
