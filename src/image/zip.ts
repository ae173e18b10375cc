// The entries of a ZIP archive (PKWARE APPNOTE 6.3), as far as .npz files need them: stored or deflated, ZIP64, checksums.
import { crc32 } from './crc32.js';
import { formatError } from './failure.js';
import { DEFLATE_RATIO, inflateAtMost } from './inflate.js';

export interface ZipEntry {
  name: string;
  method: number;
  crc: number;
  packed: number;
  size: number;
  /** Where its local header lies. */
  at: number;
}

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

const END = 0x06054b50;
const END64 = 0x06064b50;
const LOCATOR64 = 0x07064b50;
const ENTRY = 0x02014b50;
const LOCAL = 0x04034b50;
const FULL = 0xffffffff;

const big = (view: DataView, at: number): number => Number(view.getBigUint64(at, true));

/** Where the directory begins and how many entries it has. */
function findDirectory(name: string, view: DataView): { at: number; count: number } {
  for (let end = view.byteLength - 22; end >= Math.max(0, view.byteLength - 22 - 0xffff); end--) {
    if (view.getUint32(end, true) !== END) continue;
    const found = { at: view.getUint32(end + 16, true), count: view.getUint16(end + 10, true) };
    if (end < 20 || view.getUint32(end - 20, true) !== LOCATOR64) return found;
    const end64 = big(view, end - 12);
    if (!(end64 + 56 <= view.byteLength) || view.getUint32(end64, true) !== END64)
      throw formatError(name, 'this ZIP archive has a broken directory');
    return { at: big(view, end64 + 48), count: big(view, end64 + 32) };
  }
  throw formatError(name, 'this ZIP archive has no directory; is it truncated?');
}

/** The archive's directory. */
export function zipEntries(name: string, bytes: Uint8Array): ZipEntry[] {
  const view = viewOf(bytes);
  const { at, count } = findDirectory(name, view);
  const entries: ZipEntry[] = [];
  let p = at;
  for (let i = 0; i < count; i++) {
    if (!(p + 46 <= bytes.length) || view.getUint32(p, true) !== ENTRY) throw formatError(name, 'this ZIP archive has a broken directory');
    const nameLength = view.getUint16(p + 28, true);
    const extraLength = view.getUint16(p + 30, true);
    const next = p + 46 + nameLength + extraLength + view.getUint16(p + 32, true);
    if (next > bytes.length) throw formatError(name, 'this ZIP archive has a broken directory');
    const entry: ZipEntry = {
      name: new TextDecoder().decode(bytes.subarray(p + 46, p + 46 + nameLength)),
      method: view.getUint16(p + 10, true),
      crc: view.getUint32(p + 16, true),
      packed: view.getUint32(p + 20, true),
      size: view.getUint32(p + 24, true),
      at: view.getUint32(p + 42, true),
    };
    widen(entry, viewOf(bytes.subarray(p + 46 + nameLength, p + 46 + nameLength + extraLength)));
    entries.push(entry);
    p = next;
  }
  return entries;
}

/** Sizes that do not fit 32 bits stand in an extra field, in this order. */
function widen(entry: ZipEntry, extra: DataView): void {
  for (let p = 0; p + 4 <= extra.byteLength; ) {
    const end = p + 4 + extra.getUint16(p + 2, true);
    if (end > extra.byteLength) return;
    if (extra.getUint16(p, true) === 1) {
      let at = p + 4;
      for (const key of ['size', 'packed', 'at'] as const) {
        if (entry[key] !== FULL || at + 8 > end) continue;
        entry[key] = big(extra, at);
        at += 8;
      }
    }
    p = end;
  }
}

/** Unpacks an entry and checks it; nothing is allocated for a size that its data cannot hold. */
export async function readZipEntry(name: string, bytes: Uint8Array, entry: ZipEntry): Promise<Uint8Array> {
  const view = viewOf(bytes);
  const broken = (text: string) => formatError(name, `${entry.name} in this ZIP archive ${text}`);
  if (!(entry.at + 30 <= bytes.length) || view.getUint32(entry.at, true) !== LOCAL) throw broken('has no header: the file is damaged');
  if ((view.getUint16(entry.at + 6, true) & 1) === 1) throw broken('is encrypted');
  const start = entry.at + 30 + view.getUint16(entry.at + 26, true) + view.getUint16(entry.at + 28, true);
  if (!(start + entry.packed <= bytes.length)) throw broken('ends beyond the file; is it truncated?');
  const data = bytes.subarray(start, start + entry.packed);
  if (entry.method !== 0 && entry.method !== 8)
    throw broken(`is packed by method ${entry.method}, which is not supported; use numpy.savez_compressed`);
  if (entry.size > (entry.method === 0 ? entry.packed : entry.packed * DEFLATE_RATIO + 64))
    throw broken('claims more than its data can hold');
  const content =
    entry.method === 0 ? data : await inflateAtMost(data, entry.size, true).catch((error: Error) => Promise.reject(broken(error.message)));
  if (content.length !== entry.size || crc32(content) !== entry.crc) throw broken('does not match its checksum: the file is damaged');
  return content;
}
