// A run over a slide in its phases: what of it was done before, and what of it can be thrown away.
import { rm } from 'node:fs/promises';
import { basename } from 'node:path';
import type { TileFacts } from './model_tile.js';
import { rawLabels } from './raw_labels.js';
import { scanParts } from './slide_scan.js';
import { type ItemReport, keyOf, type SlideItem, type SlideTask, workFile } from './slide_task.js';
import { type SlideThread, workOff } from './slide_threads.js';
import { TilePlan } from './tile_plan.js';
import { unpackedSlide } from './unpack_slide.js';
import { readRecord } from './work_files.js';
import { wholeFiles } from './work_folder.js';
import { analysisOrder, type OrderedItem } from './work_order.js';
import { type CellTotals, geoJsonOf, tableOf } from './write_cells.js';
import type { RegionTotals } from './write_regions.js';

export interface SlideProgress {
  /** `unpack`: of what can be read only from beginning to end; `scan`: where is tissue; `analyse`; `write`. */
  phase: 'unpack' | 'scan' | 'analyse' | 'write';
  done: number;
  total: number;
  /** Cells that were found since the run began or was taken up again. */
  cells: number;
}

/** What a run came to. */
export interface RunTotals {
  tiles: number;
  skippedTiles: number;
  blocks: number;
  cells: CellTotals | undefined;
  regions: RegionTotals | undefined;
  /** Seconds of all threads together, by stage. */
  stages: Record<string, number>;
}

const one = (kind: SlideItem['kind']): SlideItem => ({ kind, index: 0 });
const loose = (items: readonly SlideItem[]): OrderedItem[] => items.map((item) => ({ item, needs: [] }));

export class SlideRun {
  readonly #plan: TilePlan;
  readonly #reads: { cells: boolean; regions: boolean };
  readonly #stages: Record<string, number> = {};
  readonly #facts = new Map<string, unknown>();
  #cells = 0;
  #begun = false;

  constructor(
    private readonly task: SlideTask,
    private readonly threads: readonly SlideThread[],
    private readonly onProgress: ((progress: SlideProgress) => void) | undefined,
  ) {
    this.#plan = new TilePlan(task.sizes);
    this.#reads = { cells: task.origin.kind !== 'none', regions: task.regions.length > 0 };
  }

  /** Whether anything was done that takes long: the scan of a slide that cannot be analysed is not worth keeping. */
  get begun(): boolean {
    return this.#begun;
  }

  /** The files of answers, by name. */
  get results(): string[] {
    const { cells, regions } = this.#reads;
    const { output } = this.task;
    return [
      ...(cells ? [geoJsonOf(output), tableOf(output)] : []),
      ...(regions ? ['regions.geojson', 'regions.tif'] : []),
      ...(output.overlay ? ['overlay.png'] : []),
    ];
  }

  /** Does all that is left to do, the files of answers last. */
  async all(): Promise<RunTotals> {
    const { task } = this;
    const { cells, regions } = this.#reads;
    const before = await this.#doneBefore();
    const { unpack, origin } = task;
    await this.#phase('unpack', loose([...(unpack.image ? [one('unpack')] : []), ...(unpack.labels ? [one('labels')] : [])]), before);
    await this.#phase('scan', loose(scanParts(task).map((_, index) => ({ kind: 'scan', index }))), before);
    await this.#phase('scan', loose([one('settle'), ...(origin.kind === 'polygons' ? [one('split')] : [])]), before);
    await this.#analyse(before);
    const files = [...(cells ? [one('cells')] : []), ...(regions ? [one('regions')] : [])];
    const picture = task.output.overlay ? [{ item: one('overlay'), needs: files.map(keyOf) }] : [];
    await this.#phase('write', [...loose(files), ...picture], new Set());
    return {
      ...{ tiles: this.#plan.tiles.count, skippedTiles: await this.#skippedTiles(), blocks: cells ? this.#plan.blocks.count : 0 },
      cells: this.#facts.get(keyOf(one('cells'))) as CellTotals | undefined,
      regions: this.#facts.get(keyOf(one('regions'))) as RegionTotals | undefined,
      stages: this.#stages,
    };
  }

  async #phase(
    phase: SlideProgress['phase'],
    order: readonly OrderedItem[],
    before: ReadonlySet<string>,
    onDone: (item: SlideItem) => Promise<void> = async () => {},
  ): Promise<void> {
    const total = order.length;
    let done = order.filter(({ item }) => before.has(keyOf(item))).length;
    const tell = () => this.onProgress?.({ phase, done, total, cells: this.#cells });
    if (total > 0) tell();
    await workOff(this.threads, order, before, async (item, report) => {
      this.#add(item, report);
      await onDone(item);
      done++;
      tell();
    });
  }

  #add(item: SlideItem, { seconds, cells = 0, facts }: ItemReport): void {
    for (const [stage, time] of Object.entries(seconds)) this.#stages[stage] = (this.#stages[stage] ?? 0) + time;
    if (item.kind === 'block' || item.kind === 'tile') this.#begun = true;
    if (item.kind === 'block') this.#cells += cells;
    if (facts !== undefined) this.#facts.set(keyOf(item), facts);
  }

  /** Blocks, tiles, patches and calls. The pixels of a tile go when every patch has had them: nothing piles up on the disk. */
  async #analyse(before: ReadonlySet<string>): Promise<void> {
    const { tiles, patches } = this.#plan;
    const left = new Map<number, number>();
    for (let tile = 0; this.#reads.regions && tile < tiles.count; tile++) {
      const open = patches.meeting(tiles.region(tile)).filter((index) => !before.has(keyOf({ kind: 'patch', index })));
      left.set(tile, open.length);
    }
    await this.#phase('analyse', analysisOrder(this.#plan, this.#reads), before, async ({ kind, index }) => {
      if (kind !== 'patch') return;
      for (const tile of tiles.meeting(patches.region(index))) {
        const open = (left.get(tile) as number) - 1;
        left.set(tile, open);
        if (open === 0) await rm(workFile(this.task.work, 'answer', tile), { force: true });
      }
    });
  }

  /** The items whose files are there. Of a tile the pixels may be gone again, once they were blended. */
  async #doneBefore(): Promise<Set<string>> {
    const { task } = this;
    const { tiles, patches, blocks } = this.#plan;
    const files = await wholeFiles(task.work);
    const there = (kind: Parameters<typeof workFile>[1], index: number) => files.has(basename(workFile(task.work, kind, index)));
    const done = new Set<string>();
    const note = (kind: SlideItem['kind'], count: number, isDone: (index: number) => boolean) => {
      for (let index = 0; index < count; index++) if (isDone(index)) done.add(keyOf({ kind, index }));
    };
    note('unpack', 1, () => files.has(basename(unpackedSlide(task.work))));
    note('labels', 1, () => files.has(basename(rawLabels(task.work))));
    note('scan', scanParts(task).length, (index) => there('scan', index));
    note('settle', 1, () => there('settle', 0));
    note('split', 1, () => there('split', 0));
    note('block', blocks.count, (index) => there('block', index));
    note('patch', patches.count, (index) => there('patch', index));
    note('calls', blocks.count, (index) => there('calls', index));
    const blended = (tile: number) => patches.meeting(tiles.region(tile)).every((patch) => there('patch', patch));
    const hasPixels = (tile: number) => !this.#reads.regions || there('answer', tile) || blended(tile);
    note('tile', tiles.count, (index) => there('tile', index) && hasPixels(index));
    return done;
  }

  async #skippedTiles(): Promise<number> {
    let skipped = 0;
    for (let tile = 0; tile < this.#plan.tiles.count; tile++) {
      const { facts } = await readRecord<TileFacts, object>(workFile(this.task.work, 'tile', tile), []);
      if (facts.skipped) skipped++;
    }
    return skipped;
  }
}
