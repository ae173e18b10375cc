// JSON files of any size, one item at a time. V8 cannot hold a string of more than 512 MB, so the file is never one: its bytes
// are scanned for where the items of interest begin and end, and each is parsed by itself.
import { open } from 'node:fs/promises';
import { pipeline } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { UamError } from '../errors.js';

/** One value of the file. */
export interface JsonItem {
  /** What holds it: `'top'` for the members or elements of the outermost value, else the name of the container that was opened. */
  container: string;
  /** Its name, where it is a member of an object. */
  key: string | undefined;
  /** Its place in its container, from 0. */
  index: number;
  value: unknown;
  /** Where it begins in the (uncompressed) file. */
  offset: number;
}

const longestItem = 1 << 28; // bytes; half of what a string can hold

const [quote, backslash, comma, colon] = [0x22, 0x5c, 0x2c, 0x3a];
const [openBracket, closeBracket, openBrace, closeBrace] = [0x5b, 0x5d, 0x7b, 0x7d];
const isSpace = (byte: number) => byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;

/** As JSON.parse, but with NaN and infinities, which QuPath and Python write though JSON has no such words: they become null. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (!/NaN|Infinity/.test(text)) throw error;
    return JSON.parse(
      text.replace(/"[^"\\]*(?:\\.[^"\\]*)*"|-?\b(?:NaN|Infinity)\b/g, (found) => (found.startsWith('"') ? found : 'null')),
    );
  }
}

interface Container {
  name: string;
  isObject: boolean;
  count: number;
}

type Expecting = 'value' | 'first value' | 'key' | 'first key' | 'colon' | 'separator' | 'end';

/**
 * Cuts JSON text, given in pieces of any length, into items: the members or elements of the outermost value, and those of its
 * members named in `toOpen`, where these are arrays or objects.
 */
export class JsonCutter {
  private readonly stack: Container[] = [];
  private expecting: Expecting = 'value';
  private key: string | undefined;
  private started = false;
  // The item, or key, that is being gathered.
  private pieces: Buffer[] = [];
  private gathered = 0;
  private start = 0;
  private reading: 'nothing' | 'string' | 'nested' | 'scalar' = 'nothing';
  private isKey = false;
  private depth = 0;
  private inString = false;
  private escaped = false;

  constructor(
    private readonly where: string,
    private readonly toOpen: readonly string[],
  ) {}

  private offset = 0;

  /** Whether the outermost value is an object or a list; `undefined` before it begins. */
  outermost: 'object' | 'list' | undefined;

  /** Those of `toOpen` that were found, and opened. */
  readonly opened = new Set<string>();

  *push(chunk: Buffer): Generator<JsonItem> {
    let at = 0;
    while (at < chunk.length) {
      if (this.reading === 'nothing') {
        const byte = chunk[at] as number;
        if (isSpace(byte) || this.isMark(byte, at)) {
          at++;
          continue;
        }
        if (this.begin(byte, this.offset + at)) at++;
        continue;
      }
      const end = this.findEnd(chunk, at);
      this.gather(chunk.subarray(at, end < 0 ? chunk.length : end));
      if (end < 0) break;
      at = end;
      const item = this.finishItem();
      if (item) yield item;
    }
    this.offset += chunk.length;
  }

  /** To be called after the last piece. */
  finish(): void {
    if (this.reading !== 'nothing' || this.expecting !== 'end') {
      throw this.broken(this.offset, this.started ? 'the file ends too early (was it cut off?)' : 'the file is empty');
    }
  }

  // The byte order mark that some editors put at the beginning.
  private isMark(byte: number, at: number): boolean {
    const place = this.offset + at;
    return !this.started && place < 3 && byte === [0xef, 0xbb, 0xbf][place];
  }

  private broken(offset: number, what: string): UamError {
    const inside = this.stack.at(-1);
    const item = inside && inside.name !== 'top' ? ` (item ${inside.count + 1} of "${inside.name}")` : '';
    return new UamError('UAM_FORMAT', `${this.where}: broken JSON at byte ${offset}${item}: ${what}`);
  }

  /** Takes the byte that structures the containers, or begins an item; false where the byte belongs to the item. */
  private begin(byte: number, offset: number): boolean {
    const top = this.stack.at(-1);
    this.started = true;
    switch (this.expecting) {
      case 'end':
        throw this.broken(offset, 'there is something after the end');
      case 'separator':
        if (byte === comma) this.expecting = top?.isObject ? 'key' : 'value';
        else if (byte === (top?.isObject ? closeBrace : closeBracket)) this.close();
        else throw this.broken(offset, `expected a comma or the end, found '${String.fromCharCode(byte)}'`);
        return true;
      case 'colon':
        if (byte !== colon) throw this.broken(offset, `expected a colon, found '${String.fromCharCode(byte)}'`);
        this.expecting = 'value';
        return true;
      case 'first key':
      case 'key':
        if (byte === closeBrace && this.expecting === 'first key') {
          this.close();
          return true;
        }
        if (byte !== quote) throw this.broken(offset, `expected a name in quotes, found '${String.fromCharCode(byte)}'`);
        this.startItem('string', offset, true);
        return false;
      default: {
        if (byte === closeBracket && this.expecting === 'first value') {
          this.close();
          return true;
        }
        const opens = byte === openBracket || byte === openBrace;
        if (opens && (!top || (this.stack.length === 1 && top.isObject && this.toOpen.includes(this.key ?? '')))) {
          if (top) {
            top.count++;
            this.opened.add(this.key as string);
          } else this.outermost = byte === openBrace ? 'object' : 'list';
          this.stack.push({ name: top ? (this.key as string) : 'top', isObject: byte === openBrace, count: 0 });
          this.key = undefined;
          this.expecting = byte === openBrace ? 'first key' : 'first value';
          return true;
        }
        if (!top) throw this.broken(offset, 'expected an object or a list');
        this.startItem(opens ? 'nested' : byte === quote ? 'string' : 'scalar', offset, false);
        return false;
      }
    }
  }

  private close(): void {
    this.stack.pop();
    this.key = undefined;
    this.expecting = this.stack.length === 0 ? 'end' : 'separator';
  }

  private startItem(reading: 'string' | 'nested' | 'scalar', offset: number, isKey: boolean): void {
    this.reading = reading;
    this.isKey = isKey;
    this.start = offset;
    this.depth = 0;
    this.inString = false;
    this.escaped = false;
  }

  private gather(piece: Buffer): void {
    this.gathered += piece.length;
    if (this.gathered > longestItem) throw this.broken(this.start, `one item is longer than ${longestItem} bytes`);
    this.pieces.push(piece);
  }

  /** The first byte after the item, or -1 where it goes on beyond this piece. */
  private findEnd(chunk: Buffer, from: number): number {
    let { depth, inString, escaped } = this;
    const isScalar = this.reading === 'scalar';
    for (let i = from; i < chunk.length; i++) {
      const byte = chunk[i] as number;
      if (inString) {
        if (escaped) escaped = false;
        else if (byte === backslash) escaped = true;
        else if (byte === quote) {
          inString = false;
          if (depth === 0) return i + 1;
        }
      } else if (isScalar) {
        if (byte === comma || byte === closeBracket || byte === closeBrace || isSpace(byte)) return i;
      } else if (byte === quote) inString = true;
      else if (byte === openBracket || byte === openBrace) depth++;
      else if ((byte === closeBracket || byte === closeBrace) && --depth === 0) return i + 1;
    }
    this.depth = depth;
    this.inString = inString;
    this.escaped = escaped;
    return -1;
  }

  private finishItem(): JsonItem | undefined {
    const text = (this.pieces.length === 1 ? (this.pieces[0] as Buffer) : Buffer.concat(this.pieces)).toString('utf8');
    this.pieces = [];
    this.gathered = 0;
    this.reading = 'nothing';
    let value: unknown;
    try {
      value = parse(text);
    } catch (error) {
      throw this.broken(this.start, (error as Error).message);
    }
    if (this.isKey) {
      this.key = value as string;
      this.expecting = 'colon';
      return undefined;
    }
    const container = this.stack.at(-1) as Container;
    const item = { container: container.name, key: this.key, index: container.count++, value, offset: this.start };
    this.key = undefined;
    this.expecting = 'separator';
    return item;
  }
}

const chunkBytes = 1 << 18;

async function* bytesOf(path: string): AsyncGenerator<Buffer> {
  const file = await open(path, 'r');
  try {
    for (let at = 0; ; ) {
      const chunk = Buffer.allocUnsafe(at === 0 ? Math.min(chunkBytes, (await file.stat()).size + 1) : chunkBytes);
      const { bytesRead } = await file.read(chunk, 0, chunk.length, at);
      if (at === 0 && bytesRead > 1 && chunk[0] === 0x1f && chunk[1] === 0x8b) {
        // pipeline hands the errors of the file on to what is read here
        yield* pipeline(file.createReadStream({ start: 0, autoClose: false }), createGunzip(), () => {});
        return;
      }
      if (bytesRead === 0) return;
      yield chunk.subarray(0, bytesRead);
      at += bytesRead;
    }
  } finally {
    await file.close();
  }
}

/** Reads a JSON file (also gzipped, recognised by its first bytes) item by item. `cutter` tells afterwards what the outermost value was. */
export async function* jsonItems(path: string, cutter: JsonCutter): AsyncGenerator<JsonItem> {
  try {
    for await (const chunk of bytesOf(path)) yield* cutter.push(chunk);
  } catch (error) {
    throw readable(path, error);
  }
  cutter.finish();
}

function readable(path: string, error: unknown): unknown {
  if (error instanceof UamError) return error;
  const { code = '', message } = error as NodeJS.ErrnoException;
  if (code.startsWith('Z_')) return new UamError('UAM_FORMAT', `${path}: the gzip data are broken: ${message}`, { cause: error });
  return new UamError('UAM_INPUT', `${path} cannot be read: ${message}`, { cause: error });
}
