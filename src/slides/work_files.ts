// Files of work in progress: named arrays with a few facts, there whole or not at all.
import { type FileHandle, open } from 'node:fs/promises';
import { UamError } from '../errors.js';
import { writeUnsynced } from '../files/write_unsynced.js';

const KINDS = Object.freeze({ Uint8Array, Int32Array, Uint32Array, Float32Array, Float64Array });
type Kind = keyof typeof KINDS;
export type WorkArray = Uint8Array | Int32Array | Uint32Array | Float32Array | Float64Array;

export interface WorkRecord<Facts, Arrays> {
  facts: Facts;
  arrays: Arrays;
}

const MARK = 0x574d4155; // "UAMW"
const HEAD = 8;
const ALIGN = 8;

interface Header {
  facts: unknown;
  arrays: { name: string; kind: Kind; length: number }[];
}

const padded = (bytes: number): number => Math.ceil(bytes / ALIGN) * ALIGN;

/** Writes a record. */
export async function writeRecord(path: string, facts: unknown, arrays: Readonly<Record<string, WorkArray>>): Promise<void> {
  const entries = Object.entries(arrays);
  const header: Header = {
    facts,
    arrays: entries.map(([name, array]) => ({ name, kind: array.constructor.name as Kind, length: array.length })),
  };
  const text = Buffer.from(JSON.stringify(header));
  const head = Buffer.alloc(HEAD + padded(text.length), ' ');
  head.writeUInt32LE(MARK, 0);
  head.writeUInt32LE(padded(text.length), 4);
  head.set(text, HEAD);
  const parts: Uint8Array[] = [head];
  for (const [, array] of entries) {
    parts.push(new Uint8Array(array.buffer, array.byteOffset, array.byteLength));
    parts.push(new Uint8Array(padded(array.byteLength) - array.byteLength));
  }
  await writeUnsynced(path, parts);
}

/** Where the arrays of a record begin, and its header. */
async function readHeader(file: FileHandle): Promise<{ header: Header; at: number }> {
  const head = new DataView((await readAt(file, 0, HEAD)).buffer);
  if (head.getUint32(0, true) !== MARK) throw new Error('it is of another kind');
  const length = head.getUint32(4, true);
  return { header: JSON.parse(Buffer.from(await readAt(file, HEAD, length)).toString()) as Header, at: HEAD + length };
}

async function readAt(file: FileHandle, at: number, length: number): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(length);
  for (let done = 0; done < length; ) {
    const { bytesRead } = await file.read(bytes, done, length - done, at + done);
    if (bytesRead === 0) throw new Error('it ends too early');
    done += bytesRead;
  }
  return bytes;
}

const bytesOf = ({ kind, length }: Header['arrays'][number]): number => length * KINDS[kind].BYTES_PER_ELEMENT;

/** Whether a record is there, to its last byte: after a crash of the machine it may be cut off. */
export async function isWhole(path: string): Promise<boolean> {
  const file = await open(path, 'r').catch(() => undefined);
  if (!file) return false;
  try {
    const { header, at } = await readHeader(file);
    const end = header.arrays.reduce((sum, array) => sum + padded(bytesOf(array)), at);
    return (await file.stat()).size === end;
  } catch {
    return false;
  } finally {
    await file.close();
  }
}

/**
 * Reads a record.
 *
 * @param names the arrays that are wanted; default all
 * @throws UamError `UAM_INPUT` where it is absent or broken
 */
export async function readRecord<Facts, Arrays>(path: string, names?: readonly (keyof Arrays)[]): Promise<WorkRecord<Facts, Arrays>> {
  try {
    const file = await open(path, 'r');
    try {
      const { header, at: first } = await readHeader(file);
      const arrays: Record<string, WorkArray> = {};
      let at = first;
      for (const array of header.arrays) {
        const { name, kind } = array;
        if (!names || (names as readonly string[]).includes(name)) {
          arrays[name] = new KINDS[kind]((await readAt(file, at, bytesOf(array))).buffer);
        }
        at += padded(bytesOf(array));
      }
      return { facts: header.facts as Facts, arrays: arrays as Arrays };
    } finally {
      await file.close();
    }
  } catch (cause) {
    const why = (cause as Error).message;
    throw new UamError('UAM_INPUT', `${path}: this file of a run in progress cannot be used (${why}); begin anew (--restart)`, { cause });
  }
}
