// The header of a safetensors file, which may come from anyone: nothing in it is believed before it was checked.
import { UamError } from '../errors.js';
import { type Shape, sizeOf } from '../tensor/shape.js';

/** Element types that are read, with their bytes. */
const ELEMENT_BYTES = Object.freeze({ F64: 8, F32: 4, F16: 2, BF16: 2, I32: 4, U8: 1, BOOL: 1 });
export type StoredType = keyof typeof ELEMENT_BYTES;

/** One tensor of the file: bytes begin to end of what follows the header. */
export interface HeaderEntry {
  type: StoredType;
  shape: Shape;
  begin: number;
  end: number;
}

export interface Header {
  /** In the order of the data. */
  entries: Map<string, HeaderEntry>;
  metadata: Map<string, string>;
}

/** The most bytes that a header may have: a model of a million tensors needs less than a file that means harm may ask for. */
export const LONGEST_HEADER = 16 * 2 ** 20;
const MOST_AXES = 8;
const LONGEST_NAME = 512;

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);
const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
const quoted = (name: string) => JSON.stringify(name.length > 60 ? `${name.slice(0, 60)}...` : name);

function entryOf(value: unknown, fail: (text: string) => never): HeaderEntry {
  if (!isObject(value)) return fail('is not an object');
  const { dtype, shape, data_offsets: offsets } = value;
  const other = Object.keys(value).find((key) => !['dtype', 'shape', 'data_offsets'].includes(key));
  if (other !== undefined) return fail(`has an entry ${quoted(other)} that the format does not know`);
  if (typeof dtype !== 'string' || !Object.hasOwn(ELEMENT_BYTES, dtype)) {
    return fail(`has the element type ${quoted(String(dtype))}; ${Object.keys(ELEMENT_BYTES).join(', ')} are read`);
  }
  if (!Array.isArray(shape) || shape.length > MOST_AXES || !shape.every(isCount))
    return fail(`has no shape of at most ${MOST_AXES} lengths`);
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isCount)) return fail('has no data_offsets of two numbers');
  const type = dtype as StoredType;
  const bytes = sizeOf(shape as number[]) * ELEMENT_BYTES[type];
  const [begin, end] = offsets as [number, number];
  if (!Number.isSafeInteger(bytes) || end - begin !== bytes)
    return fail(`has ${bytes} bytes by its shape, and data_offsets [${begin}, ${end}]`);
  return { type, shape: [...shape] as number[], begin, end };
}

function metadataOf(value: unknown, fail: (text: string) => never): Map<string, string> {
  if (value === undefined) return new Map();
  if (!isObject(value)) return fail('its __metadata__ is not an object');
  const list = Object.entries(value);
  if (!list.every((pair): pair is [string, string] => typeof pair[1] === 'string')) return fail('its __metadata__ holds more than text');
  return new Map(list);
}

/**
 * Reads and checks a header: known element types, shapes that fit their bytes, and data that lie one after the other without gaps or
 * overlaps and fill the file exactly.
 *
 * @param bytes the header alone
 * @param dataBytes how many bytes follow it
 * @param name of the file, for errors
 * @throws UamError `UAM_FORMAT`
 */
export function parseHeader(bytes: Uint8Array, dataBytes: number, name: string): Header {
  const fail = (text: string): never => {
    throw new UamError('UAM_FORMAT', `${name}: not a sound safetensors file: ${text}`);
  };
  let parsed: unknown;
  try {
    parsed = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    return fail('its header is not JSON in UTF-8');
  }
  if (!isObject(parsed)) return fail('its header is not an object');
  const metadata = metadataOf(Object.hasOwn(parsed, '__metadata__') ? parsed['__metadata__'] : undefined, fail);
  const entries = Object.entries(parsed)
    .filter(([key]) => key !== '__metadata__')
    .map(([key, value]): [string, HeaderEntry] => {
      if (key.length > LONGEST_NAME) return fail(`a name is longer than ${LONGEST_NAME} characters`);
      return [key, entryOf(value, (text) => fail(`tensor ${quoted(key)} ${text}`))];
    })
    .sort(([, a], [, b]) => a.begin - b.begin || a.end - b.end);
  let at = 0;
  for (const [key, { begin, end }] of entries) {
    if (begin !== at) fail(`tensor ${quoted(key)} begins at byte ${begin} of the data, where byte ${at} is next`);
    at = end;
  }
  if (at !== dataBytes) fail(`its tensors take ${at} bytes, and ${dataBytes} follow the header: it is cut off, or something was added`);
  return { entries: new Map(entries), metadata };
}
