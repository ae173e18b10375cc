// A region of a TIFF page, tile by tile.
import { dataError, decoding, formatError, refuseAborted } from './failure.js';
import type { NumericArray } from './numeric_array.js';
import { readJpegTables, readTileTable, rowBytes, samplesPerTile, type TiffFile, type TiffPage, type TileTable } from './tiff_directory.js';
import { samplesOf, samplesOfTile, sampleType } from './tiff_samples.js';
import { decodeJpegTile } from './tiff_tile_jpeg.js';
import { compressionName, isKnownCompression, JPEG, mostUnpacked, unpackTile } from './tiff_unpack.js';

/** Pixels of a level or page: the first column and row, and how many of them. */
export interface Region {
  x: number;
  y: number;
  width: number;
  height: number;
}

/** A page whose tiles can be read, with what is read once. */
export interface ReadablePage {
  file: TiffFile;
  page: TiffPage;
  /** `uint8`, `float32` ...; see `samplesOf`. */
  type: string;
  table(): Promise<TileTable>;
  jpegTables(): Promise<Uint8Array | undefined>;
}

const memo = <T>(work: () => Promise<T>): (() => Promise<T>) => {
  let result: Promise<T> | undefined;
  return () => (result ??= work());
};

const YCBCR = 6;

/** Refuses what cannot be decoded, in words; otherwise nothing of the page is read yet. */
export function readablePage(file: TiffFile, page: TiffPage): ReadablePage {
  const { name } = file.source;
  const refuse = (text: string) => formatError(name, `page ${page.index} of this TIFF ${text}`);
  if (!isKnownCompression(page.compression)) {
    throw refuse(
      `is compressed as ${compressionName(page.compression)}, which is not supported; convert it, for example with ` +
        '`vips tiffsave in.svs out.tif --tile --pyramid --compression jpeg`',
    );
  }
  const type = sampleType(page);
  if (!type) throw refuse(`has ${page.bits}-bit ${page.format} samples, which are not supported`);
  if (page.compression === JPEG && type !== 'uint8') throw refuse(`has JPEG tiles of ${page.bits} bits, only 8 are supported`);
  if (page.photometric === YCBCR && page.compression !== JPEG)
    throw refuse('has YCbCr pixels outside JPEG, which is not supported; convert it to RGB');
  if (page.bits < 8 && page.fillOrder === 2) throw refuse('has reversed bits (FillOrder 2), which is not supported');
  if (![1, 2, 3].includes(page.predictor) || (page.predictor > 1 && page.bits < 8))
    throw refuse(`uses the unknown predictor ${page.predictor}`);
  if (page.predictor === 3 && page.format !== 'float') throw refuse('uses the predictor of floats on integers');
  return { file, page, type, table: memo(() => readTileTable(file, page)), jpegTables: memo(() => readJpegTables(file, page)) };
}

/** Tiles decoded at the same time: the disk and libjpeg work while others are put together. */
const AT_ONCE = 4;

interface Job {
  column: number;
  row: number;
  plane: number;
  index: number;
}

function jobsOf({ page }: ReadablePage, region: Region): Job[] {
  const jobs: Job[] = [];
  for (let plane = 0; plane < (page.planar ? page.samples : 1); plane++) {
    for (let row = Math.floor(region.y / page.tileHeight); row * page.tileHeight < region.y + region.height; row++) {
      for (let column = Math.floor(region.x / page.tileWidth); column * page.tileWidth < region.x + region.width; column++) {
        jobs.push({ column, row, plane, index: (plane * page.down + row) * page.across + column });
      }
    }
  }
  return jobs;
}

/** The rows that a tile holds: the last strip is shorter, tiles are always whole. */
const rowsOf = (page: TiffPage, row: number): number =>
  page.tiled ? page.tileHeight : Math.min(page.tileHeight, page.height - row * page.tileHeight);

export interface RegionSamples {
  /** `height * width * samples` values. */
  data: NumericArray;
  /** Tiles that were never written and hold `fill`. */
  missing: number;
}

/**
 * Reads a region, which must lie inside the page. Tiles that were never written are filled with `fill`.
 *
 * @throws `UAM_FORMAT` where a tile is broken or cannot be as large as claimed
 */
export async function readTiffRegion(readable: ReadablePage, region: Region, fill: number, signal?: AbortSignal): Promise<RegionSamples> {
  const { page, file, type } = readable;
  const { name } = file.source;
  const table = await readable.table();
  const jobs = jobsOf(readable, region);
  const present = jobs.filter(({ index }) => table.sizes[index]! > 0 && table.offsets[index]! > 0);
  checkClaims(readable, table, present);
  if (present.length === 0) throw dataError(name, `page ${page.index} of this TIFF holds no pixels here: none of its tiles was written`);
  const data = samplesOf(type, region.width * region.height * page.samples);
  if (present.length < jobs.length && fill !== 0) (data as Uint8Array).fill(fill);
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < present.length) {
      refuseAborted(name, signal);
      const job = present[next++]!;
      copyTile(readable, region, job, await readTile(readable, table, job), data);
    }
  };
  const stop = (error: unknown): never => {
    next = present.length; // no further tile is begun
    throw error;
  };
  const workers = await Promise.allSettled(Array.from({ length: Math.min(AT_ONCE, present.length) }, () => work().catch(stop)));
  for (const worker of workers) if (worker.status === 'rejected') throw worker.reason;
  return { data, missing: jobs.length - present.length };
}

/** Before anything is allocated: every tile lies in the file and can unpack to what the page claims. */
function checkClaims({ file, page }: ReadablePage, table: TileTable, jobs: Job[]): void {
  for (const { index, row } of jobs) {
    const offset = table.offsets[index]!;
    const size = table.sizes[index]!;
    if (!(offset + size <= file.source.size)) {
      throw formatError(file.source.name, `page ${page.index} of this TIFF has tiles beyond the end of the file; is it truncated?`);
    }
    if (rowBytes(page) * rowsOf(page, row) > mostUnpacked(page.compression, size)) {
      throw formatError(
        file.source.name,
        `page ${page.index} of this TIFF claims tiles larger than their data can hold: the file is damaged`,
      );
    }
  }
}

async function readTile(readable: ReadablePage, table: TileTable, { index, row }: Job): Promise<NumericArray> {
  const { file, page, type } = readable;
  const { name } = file.source;
  const rows = rowsOf(page, row);
  const bytes = await file.source.read(table.offsets[index]!, table.sizes[index]!);
  if (page.compression === JPEG) return decodeJpegTile(name, page, bytes, await readable.jpegTables(), rows);
  const expected = rowBytes(page) * rows;
  const unpacked = await decoding(name, `a tile of page ${page.index} of this TIFF cannot be unpacked`, () =>
    unpackTile(page.compression, bytes, expected),
  );
  if (unpacked.length < expected) {
    throw formatError(name, `a tile of page ${page.index} of this TIFF holds ${unpacked.length} of ${expected} bytes; is it truncated?`);
  }
  return samplesOfTile(page, type, unpacked, rows, file.little);
}

/** Copies what of a tile lies in the region. */
function copyTile({ page }: ReadablePage, region: Region, job: Job, tile: NumericArray, out: NumericArray): void {
  const left = job.column * page.tileWidth;
  const top = job.row * page.tileHeight;
  const x0 = Math.max(left, region.x);
  const x1 = Math.min(left + page.tileWidth, region.x + region.width);
  const y0 = Math.max(top, region.y);
  const y1 = Math.min(top + rowsOf(page, job.row), region.y + region.height);
  const inTile = samplesPerTile(page);
  for (let y = y0; y < y1; y++) {
    const from = ((y - top) * page.tileWidth + x0 - left) * inTile;
    const to = ((y - region.y) * region.width + x0 - region.x) * page.samples + job.plane;
    if (inTile === page.samples) {
      (out as Uint8Array).set(tile.subarray(from, from + (x1 - x0) * inTile) as Uint8Array, to);
    } else {
      for (let i = 0; i < x1 - x0; i++) out[to + i * page.samples] = tile[from + i]!;
    }
  }
}
