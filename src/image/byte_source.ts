import { type FileHandle, open } from 'node:fs/promises';
import { basename } from 'node:path';
import { UamError } from '../errors.js';
import { argumentError, formatError, reason } from './failure.js';

/** What the readers accept: the path of a file, or a file's bytes. */
export type FileInput = string | Uint8Array;

/** The bytes of a file, read where they are needed: a slide is never held whole. */
export interface ByteSource {
  /** The path, or what the caller calls the bytes. For messages. */
  name: string;
  size: number;
  /** Exactly `length` bytes from `offset`; `UAM_FORMAT` where the file ends before. */
  read(offset: number, length: number): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** Where Node cannot put more into one buffer. */
const MOST_AT_ONCE = 2 ** 31 - 1;

function refuseOutside(name: string, offset: number, length: number, size: number): void {
  if (!(offset >= 0 && length >= 0 && offset + length <= size)) {
    throw formatError(name, `the file ends too early: ${length} bytes at ${offset} were expected, it has ${size} bytes; is it truncated?`);
  }
  if (length > MOST_AT_ONCE) throw formatError(name, `a part of ${length} bytes is too large to be read at once`);
}

async function fileSource(path: string): Promise<ByteSource> {
  let file: FileHandle;
  let size: number;
  try {
    file = await open(path, 'r');
  } catch (error) {
    throw new UamError('UAM_INPUT', `${path}: cannot be opened: ${reason(error)}`, { cause: error });
  }
  try {
    const stat = await file.stat();
    if (!stat.isFile()) throw new Error(stat.isDirectory() ? 'it is a folder' : 'it is not a file');
    size = stat.size;
  } catch (error) {
    await file.close();
    throw new UamError('UAM_INPUT', `${path}: cannot be read: ${reason(error)}`, { cause: error });
  }
  let closing: Promise<void> | undefined;
  return {
    name: path,
    size,
    async read(offset, length) {
      refuseOutside(path, offset, length, size);
      if (closing) throw new UamError('UAM_INPUT', `${path}: was closed before it was read`);
      const bytes = new Uint8Array(length);
      for (let done = 0; done < length; ) {
        const { bytesRead } = await file.read(bytes, done, length - done, offset + done).catch((error) => {
          throw new UamError('UAM_INPUT', `${path}: cannot be read: ${reason(error)}`, { cause: error });
        });
        if (bytesRead === 0) throw formatError(path, `the file ended at ${offset + done} while it was read`);
        done += bytesRead;
      }
      return bytes;
    },
    close: () => (closing ??= file.close()),
  };
}

/** Opens a path, or wraps bytes (which are borrowed, not copied). */
export async function openSource(input: FileInput, name?: string): Promise<ByteSource> {
  if (typeof input === 'string') return fileSource(input);
  if (!(input instanceof Uint8Array)) {
    throw argumentError(
      `a file must be given as a path or as a Uint8Array of its bytes, received ${input === null ? 'null' : typeof input}`,
    );
  }
  const called = name ?? 'bytes';
  return {
    name: called,
    size: input.length,
    async read(offset, length) {
      refuseOutside(called, offset, length, input.length);
      return input.subarray(offset, offset + length);
    },
    async close() {},
  };
}

/** All bytes of a source. */
export const readAll = (source: ByteSource): Promise<Uint8Array> => source.read(0, source.size);

/** The kinds of file that can be told apart by their first bytes. */
export type FileKind = 'png' | 'jpeg' | 'tiff' | 'npy' | 'zip' | 'mat' | 'hdf5' | 'json' | 'other';

const starts = (head: Uint8Array, ...bytes: number[]): boolean => bytes.every((byte, i) => head[i] === byte);
const text = (head: Uint8Array, at: number, length: number): string => String.fromCharCode(...head.subarray(at, at + length));

/** What a file is, by its first bytes; and in words where we cannot read it. The name's extension plays no part. */
export async function recognise(source: ByteSource): Promise<{ kind: FileKind; words: string }> {
  const head = await source.read(0, Math.min(source.size, 520));
  if (head.length === 0) throw formatError(source.name, 'the file is empty');
  if (starts(head, 0x89, 0x50, 0x4e, 0x47)) return { kind: 'png', words: 'a PNG image' };
  if (starts(head, 0xff, 0xd8, 0xff)) return { kind: 'jpeg', words: 'a JPEG image' };
  const tiff = ['II*\0', 'MM\0*', 'II+\0', 'MM\0+'].includes(text(head, 0, 4));
  if (tiff) return { kind: 'tiff', words: 'a TIFF image' };
  if (text(head, 0, 6) === '\x93NUMPY') return { kind: 'npy', words: 'a NumPy array' };
  if (['PK\x03\x04', 'PK\x05\x06'].includes(text(head, 0, 4))) return { kind: 'zip', words: 'a ZIP archive' };
  const hdf5 = '\x89HDF\r\n\x1a\n';
  if (text(head, 0, 8) === hdf5 || text(head, 512, 8) === hdf5) return { kind: 'hdf5', words: 'an HDF5 file' };
  if (['MI', 'IM'].includes(text(head, 126, 2))) return { kind: 'mat', words: 'a MATLAB file' };
  const first = text(head, 0, 64)
    .replace(/^\xef\xbb\xbf/, '')
    .trimStart()[0];
  if (first === '{' || first === '[') return { kind: 'json', words: 'JSON text' };
  return { kind: 'other', words: otherWords(head) };
}

function otherWords(head: Uint8Array): string {
  if (text(head, 0, 4) === 'GIF8') return 'a GIF image';
  if (text(head, 0, 2) === 'BM') return 'a BMP image';
  if (text(head, 0, 4) === 'RIFF' && text(head, 8, 4) === 'WEBP') return 'a WebP image';
  if (text(head, 4, 4) === 'jP  ' || starts(head, 0xff, 0x4f, 0xff, 0x51)) return 'a JPEG 2000 image';
  if (text(head, 4, 4) === 'ftyp') return 'a HEIF or AVIF image';
  if (starts(head, 0x1f, 0x8b)) return 'a gzip file (unpack it first)';
  if (text(head, 0, 5) === '%PDF-') return 'a PDF file';
  return 'of an unknown kind';
}

/** The last part of a path, for messages that name two files. */
export const shortName = (name: string | undefined, otherwise: string): string => (name ? basename(name) : otherwise);
