// The record of a run: what was read, how it was worked off, what came out, how long it took.
import type { ImageWarning } from '../image/image.js';
import { type ChosenDevice, deviceText } from '../train/devices.js';
import type { SlideFacts } from './slide_facts.js';
import type { RunTotals } from './slide_run.js';
import type { SlideTask } from './slide_task.js';
import type { InputMark, RunMark } from './work_folder.js';

/** A run over a slide, as `run.json` tells it. */
export interface SlideRecord {
  /** The version of the package. */
  version: string;
  /** When it began and ended, and the seconds between; of a run that was taken up again, since then. */
  began: string;
  ended: string;
  seconds: number;
  resumed: boolean;
  inputs: { image: InputMark; model: InputMark; cells: InputMark | null };
  slide: {
    width: number;
    height: number;
    mpp: readonly [number, number];
    level: number;
    gridWidth: number;
    gridHeight: number;
    gridMpp: readonly [number, number];
  };
  settings: Record<string, unknown>;
  threads: number;
  /** What the model computed on: 'cpu', or the card. */
  device: string;
  maxMemory: number;
  counts: {
    tiles: number;
    /** Tiles without tissue or cells, of which the model was not asked. */
    skippedTiles: number;
    blocks: number;
    skippedBlocks: number;
    cells: number;
    classes: Record<string, number>;
    /** Square millimetres per region. */
    regions: Record<string, number>;
  };
  /** Seconds of all threads together, by stage. */
  stages: Record<string, number>;
  /** The most memory that the process held, in bytes. */
  peakMemory: number;
  warnings: ImageWarning[];
}

export interface RecordParts extends RunTotals {
  task: SlideTask;
  facts: SlideFacts;
  mark: RunMark;
  began: Date;
  resumed: boolean;
  threads: number;
  device: ChosenDevice;
  maxMemory: number;
  warnings: ImageWarning[];
}

const rounded = (value: number, digits: number): number => Number(value.toFixed(digits));

export function slideRecord(parts: RecordParts): SlideRecord {
  const { task, facts, mark, began, cells, regions, stages } = parts;
  const { grid } = task;
  const ended = new Date();
  const squareMm = (grid.mpp[0] * grid.mpp[1]) / 1e6;
  const areas = Object.entries(regions?.pixels ?? {}).map(([name, pixels]) => [name, rounded(pixels * squareMm, 6)] as const);
  return {
    version: mark.version,
    ...{ began: began.toISOString(), ended: ended.toISOString(), seconds: rounded((ended.getTime() - began.getTime()) / 1000, 3) },
    resumed: parts.resumed,
    inputs: { image: mark.image, model: mark.model, cells: mark.cells },
    slide: {
      ...{ width: facts.width, height: facts.height, mpp: task.mpp, level: grid.level },
      ...{ gridWidth: grid.width, gridHeight: grid.height, gridMpp: grid.mpp },
    },
    settings: mark.settings,
    ...{ threads: parts.threads, device: deviceText(parts.device), maxMemory: parts.maxMemory },
    counts: {
      ...{ tiles: parts.tiles, skippedTiles: parts.skippedTiles, blocks: parts.blocks, skippedBlocks: cells?.skippedBlocks ?? 0 },
      ...{ cells: cells?.cells ?? 0, classes: cells?.classes ?? {}, regions: Object.fromEntries(areas) },
    },
    stages: Object.fromEntries(Object.entries(stages).map(([name, seconds]) => [name, rounded(seconds, 3)])),
    peakMemory: process.resourceUsage().maxRSS * 1024,
    warnings: parts.warnings,
  };
}
