// Tables as a Parquet file that grows by row groups: one group is in memory, never the file.
import { openOutput } from '../files/output_file.js';
import { type CellRows, type FeatureColumn, STATUS_NAMES, type TextColumn, textAt } from './table_columns.js';
import type { RowWriter } from './table_writer.js';

/**
 * Rows of a row group. Small tables share one: each costs a footer entry per column, which would weigh more than the rows of a small
 * image. Wide tables get more of them: the library encodes a group without a pause, and a quarter of a million numbers take some 20 ms.
 */
const rowsPerGroup = (columns: number): number => Math.max(512, Math.min(16_384, Math.floor(2 ** 18 / columns)));

/** @throws UamError `UAM_IO` */
export async function openParquet(path: string): Promise<RowWriter> {
  const { ByteWriter, ParquetWriter } = await import('hyparquet-writer');
  const output = await openOutput(path);
  const bytes = new ByteWriter(1 << 20);
  // The library calls this after each row group, and waits for it.
  const flush = async (): Promise<void> => {
    const written = bytes.getBytes();
    bytes.index = 0;
    await output.write(written);
  };
  Object.assign(bytes, { flush });
  let parquet: InstanceType<typeof ParquetWriter> | undefined;
  let pending: CellRows[] = [];
  let rows = 0;

  const writeGroup = async (): Promise<void> => {
    const group = pending;
    pending = [];
    if (rows > 0) await parquet?.write({ columnData: columnData(group, rows), rowGroupSize: rows });
    rows = 0;
  };

  return {
    temporary: output.temporary,
    async write(table: CellRows): Promise<void> {
      parquet ??= new ParquetWriter({
        writer: bytes,
        schema: schemaOf(table),
        kvMetadata: [{ key: 'uam.columns', value: describe(table) }],
        createdBy: 'uam-native',
      });
      const groupRows = rowsPerGroup(table.columns.length + table.labels.length + 5);
      for (let from = 0; from < table.length; ) {
        const to = Math.min(table.length, from + groupRows - rows);
        pending.push(from === 0 && to === table.length ? table : slice(table, from, to));
        rows += to - from;
        from = to;
        if (rows === groupRows) await writeGroup();
      }
    },
    async close(): Promise<void> {
      await writeGroup();
      parquet?.finish();
      await flush();
      await output.close();
    },
    abort: () => output.abort(),
  };
}

/** Units and definitions, as JSON under the key `uam.columns` of the file's metadata. */
const describe = ({ columns }: CellRows): string =>
  JSON.stringify(Object.fromEntries(columns.map(({ name, unit, definition }) => [name, { unit, definition }])));

function schemaOf({ labels, columns }: CellRows) {
  const text = (name: string) => ({ name, type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'REQUIRED' }) as const;
  const plain = (name: string, type: 'INT64' | 'DOUBLE' | 'BOOLEAN') => ({ name, type, repetition_type: 'REQUIRED' }) as const;
  return [
    { name: 'schema', num_children: labels.length + 5 + columns.length },
    ...labels.map(({ name }) => text(name)),
    plain('label', 'INT64'), // ids go to 2^32 - 1, and readers know signed integers best
    plain('x', 'DOUBLE'),
    plain('y', 'DOUBLE'),
    plain('touches_border', 'BOOLEAN'),
    text('status'),
    ...columns.map(({ name }) => plain(name, 'DOUBLE')),
  ];
}

function slice(table: CellRows, from: number, to: number): CellRows {
  return {
    length: to - from,
    ids: table.ids.subarray(from, to),
    centroids: table.centroids.subarray(2 * from, 2 * to),
    touchesBorder: table.touchesBorder.subarray(from, to),
    status: table.status.subarray(from, to),
    columns: table.columns.map((column) => ({ ...column, data: column.data.subarray(from, to) })),
    labels: table.labels.map(({ name, values }) => ({ name, values: typeof values === 'string' ? values : values.slice(from, to) })),
  };
}

/** A group of tables, column by column, as the library takes them. */
function columnData(tables: readonly CellRows[], rows: number) {
  const [first] = tables as [CellRows];
  const doubles = (name: string, value: (table: CellRows) => (row: number) => number) => {
    const data = new Float64Array(rows);
    each(tables, value, (at, number) => {
      data[at] = number;
    });
    return { name, data, encoding: 'PLAIN' as const }; // a dictionary would merge 0 and -0, and seldom be smaller
  };
  const things = <T>(name: string, value: (table: CellRows) => (row: number) => T) => {
    const data = new Array<T>(rows);
    each(tables, value, (at, thing) => {
      data[at] = thing;
    });
    return { name, data };
  };
  return [
    ...first.labels.map(({ name }, j) =>
      things(
        name,
        ({ labels }) =>
          (i) =>
            textAt(labels[j] as TextColumn, i),
      ),
    ),
    {
      ...things(
        'label',
        ({ ids }) =>
          (i) =>
            BigInt(ids[i] as number),
      ),
      encoding: 'PLAIN' as const,
    },
    doubles(
      'x',
      ({ centroids }) =>
        (i) =>
          centroids[2 * i] as number,
    ),
    doubles(
      'y',
      ({ centroids }) =>
        (i) =>
          centroids[2 * i + 1] as number,
    ),
    things(
      'touches_border',
      ({ touchesBorder }) =>
        (i) =>
          touchesBorder[i] !== 0,
    ),
    things(
      'status',
      ({ status }) =>
        (i) =>
          STATUS_NAMES[status[i] as number] as string,
    ),
    ...first.columns.map(({ name }, j) => ({
      name,
      data: joined(
        tables.map(({ columns }) => (columns[j] as FeatureColumn).data),
        rows,
      ),
      encoding: 'PLAIN' as const,
    })),
  ];
}

function each<T>(tables: readonly CellRows[], value: (table: CellRows) => (row: number) => T, put: (at: number, value: T) => void): void {
  let at = 0;
  for (const table of tables) {
    const of = value(table);
    for (let i = 0; i < table.length; i++) put(at++, of(i));
  }
}

function joined(parts: readonly Float64Array[], rows: number): Float64Array {
  if (parts.length === 1) return parts[0] as Float64Array;
  const data = new Float64Array(rows);
  let at = 0;
  for (const part of parts) {
    data.set(part, at);
    at += part.length;
  }
  return data;
}
