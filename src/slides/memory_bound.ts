// How much memory a run over a slide takes, and how many threads it may have.
import { totalmem } from 'node:os';
import { UamError } from '../errors.js';

const MB = 2 ** 20;

/** What the process takes before it does anything, and what each thread takes beside its images. Measured on Linux. */
const PROCESS = 280 * MB;
const THREAD = 100 * MB;
/** A model is read as bytes, and held as tensors. */
const MODEL_COPIES = 2.5;
/** Bytes per pixel of a block in which cells are looked for and measured, and of a tile that a model reads. */
const BLOCK_PIXEL = 80;
const TILE_PIXEL = 720;

export interface MemoryNeeds {
  modelBytes: number;
  /** Pixels of a tile; 0 for a model that reads no images. */
  tilePixels: number;
  /** Pixels of a block with its margins; 0 for a model that reads no cells. */
  blockPixels: number;
}

/** Half of what the process may have, and at least 1 GiB. */
export function defaultMaxMemory(): number {
  const limit = process.constrainedMemory();
  const most = limit > 0 ? Math.min(limit, totalmem()) : totalmem();
  return Math.max(1024 * MB, Math.floor(most / 2));
}

/** Bytes that one thread takes, at most: what a block has taken may not be given back before a tile takes its own. */
export const threadNeeds = ({ modelBytes, tilePixels, blockPixels }: MemoryNeeds): number =>
  THREAD + MODEL_COPIES * modelBytes + tilePixels * TILE_PIXEL + blockPixels * BLOCK_PIXEL;

/** How many threads fit under a bound; 0 where not even one does. */
export const threadsWithin = (maxMemory: number, needs: MemoryNeeds): number =>
  Math.max(0, Math.floor((maxMemory - PROCESS) / threadNeeds(needs)));

/** The refusal of a bound that is too low. */
export function tooLittle(maxMemory: number, needs: MemoryNeeds): UamError {
  const inMb = (bytes: number) => `${Math.ceil(bytes / MB)} MB`;
  return new UamError(
    'UAM_ARGUMENT',
    `maxMemory must be at least ${inMb(PROCESS + threadNeeds(needs))} for this model and its tiles, received ${inMb(maxMemory)}`,
  );
}
