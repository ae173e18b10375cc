// The rows of a table in a file, whatever its format; the first row is the header.
import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { UamError } from '../errors.js';
import type { Pace } from './pace.js';

/** What stands in a field: a text in CSV, a value in Parquet; nothing where it is missing. */
export type Field = string | number | bigint | boolean | null | undefined;

/**
 * Reads a table row by row: CSV, TSV (both also `.gz`), Parquet by the name of the file.
 *
 * @throws UamError `UAM_INPUT` where the file cannot be read, `UAM_FORMAT` where it is no such table, `UAM_ABORTED`
 */
export async function* tableRows(path: string, pace: Pace): AsyncGenerator<readonly Field[]> {
  const rows = /\.(parquet|pq)$/i.test(path) ? parquetRows(path, pace) : csvRows(path);
  try {
    await pace.rest();
    yield* rows;
  } catch (error) {
    if (error instanceof UamError) throw error;
    const { message, code = '', syscall } = error as NodeJS.ErrnoException;
    const unreadable = syscall !== undefined || /^E[A-Z]+$/.test(code);
    throw new UamError(
      unreadable ? 'UAM_INPUT' : 'UAM_FORMAT',
      `${path}: ${unreadable ? 'cannot be read' : 'not a valid table'}: ${message}`,
      { cause: error },
    );
  }
}

async function* csvRows(path: string): AsyncGenerator<readonly string[]> {
  const { parse } = await import('csv-parse');
  const zipped = /\.gz$/i.test(path);
  const parser = parse({ bom: true, delimiter: /\.tsv(\.gz)?$/i.test(path) ? '\t' : ',', skip_empty_lines: true, trim: true });
  const source = createReadStream(path);
  const parts = zipped ? [source, createGunzip(), parser] : [source, parser];
  // Whoever reads from the parser is told of errors before it.
  pipeline(parts, (error) => error && parser.destroy(error));
  try {
    yield* parser as AsyncIterable<string[]>;
  } finally {
    source.destroy();
  }
}

async function* parquetRows(path: string, pace: Pace): AsyncGenerator<readonly Field[]> {
  const { asyncBufferFromFile, parquetMetadataAsync, parquetRead, parquetSchema } = await import('hyparquet');
  const file = await asyncBufferFromFile(path);
  const metadata = await parquetMetadataAsync(file);
  const names = parquetSchema(metadata).children.map(({ element }) => element.name);
  yield names;
  let rowStart = 0;
  for (const group of metadata.row_groups) {
    const rowEnd = rowStart + Number(group.num_rows);
    const columns: Field[][] = [];
    for (const name of names) {
      const column = new Array<Field>(rowEnd - rowStart);
      const onChunk = ({ columnData, rowStart: first }: { columnData: ArrayLike<Field>; rowStart: number }) => {
        for (let i = 0; i < columnData.length; i++) column[first - rowStart + i] = columnData[i];
      };
      await parquetRead({ file, metadata, columns: [name], rowStart, rowEnd, onChunk });
      columns.push(column);
      await pace.rest();
    }
    for (let row = 0; row < rowEnd - rowStart; row++) yield columns.map((column) => column[row]);
    rowStart = rowEnd;
  }
}
