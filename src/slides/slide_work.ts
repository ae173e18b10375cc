// What a thread needs to do items of a run: the opened slide, the cells' mask, the model, the plan. Each is opened when it is first used.

import { UamError } from '../errors.js';
import { type OpenedImage, openImage } from '../image/open_image.js';
import { type OpenedMask, openMask } from '../image/open_mask.js';
import { type BlockCells, readBlock } from './block_files.js';
import { openRawLabels } from './raw_labels.js';
import type { SlideModel } from './slide_model.js';
import { readSettled, type Settled } from './slide_scan.js';
import type { SlideTask } from './slide_task.js';
import { TilePlan } from './tile_plan.js';

/** Blocks whose cells are kept: a tile meets no more, unless blocks are small. */
const KEPT_BLOCKS = 4;

export class SlideWork {
  readonly plan: TilePlan;
  #slide: Promise<OpenedImage> | undefined;
  #mask: Promise<OpenedMask> | undefined;
  readonly #blocks = new Map<number, BlockCells>();
  #settled: Promise<Settled> | undefined;
  #model: Promise<SlideModel> | undefined;

  constructor(
    readonly task: SlideTask,
    private readonly loadModel: (path: string) => Promise<SlideModel>,
    readonly signal?: AbortSignal,
  ) {
    this.plan = new TilePlan(task.sizes);
  }

  slide(): Promise<OpenedImage> {
    return (this.#slide ??= openImage(this.task.image, { name: this.task.name, mpp: this.task.mpp }));
  }

  mask(): Promise<OpenedMask> {
    return (this.#mask ??= this.#openMask());
  }

  model(): Promise<SlideModel> {
    return (this.#model ??= this.loadModel(this.task.model));
  }

  settled(): Promise<Settled> {
    return (this.#settled ??= readSettled(this.task));
  }

  /** The cells of a block; the last few stay, as neighbouring tiles ask for the same ones. */
  async block(index: number): Promise<BlockCells> {
    const known = this.#blocks.get(index);
    this.#blocks.delete(index);
    const cells = known ?? (await readBlock(this.task.work, index)).arrays;
    this.#blocks.set(index, cells);
    for (const oldest of this.#blocks.keys()) if (this.#blocks.size > KEPT_BLOCKS) this.#blocks.delete(oldest);
    return cells;
  }

  async #openMask(): Promise<OpenedMask> {
    const { origin } = this.task;
    if (origin.kind !== 'mask') throw new UamError('UAM_ARGUMENT', 'this run has no mask');
    const opened = origin.raw ? await openRawLabels(origin.path, origin.raw) : await openMask(origin.path);
    if (!opened) throw new UamError('UAM_FORMAT', `${origin.path}: it was a TIFF, and is none any more`);
    return opened;
  }

  refuseAborted(): void {
    if (this.signal?.aborted) {
      throw new UamError('UAM_ABORTED', `analysing ${this.task.name} was ended by its signal`, { cause: this.signal.reason });
    }
  }

  async close(): Promise<void> {
    const [slide, mask, model] = await Promise.allSettled([this.#slide, this.#mask, this.#model]);
    if (slide.status === 'fulfilled') await slide.value?.close();
    if (mask.status === 'fulfilled') await mask.value?.close();
    if (model.status === 'fulfilled') model.value?.dispose();
  }
}
