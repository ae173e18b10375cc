// In which order the items of a run are done, and what each waits for.
import { keyOf, type SlideItem } from './slide_task.js';
import type { TilePlan } from './tile_plan.js';

/** An item, and the names of those whose files it reads. */
export interface OrderedItem {
  item: SlideItem;
  needs: readonly string[];
}

/**
 * Blocks, tiles, patches and calls of a slide: every tile right after the blocks that it needs, and every patch and call right after its
 * tiles, so that little lies about at any time.
 *
 * @param reads whether there are cells, and whether there are regions
 */
export function analysisOrder(plan: TilePlan, reads: { cells: boolean; regions: boolean }): OrderedItem[] {
  const { tiles, patches, blocks } = plan;
  const order: OrderedItem[] = [];
  const put = (item: SlideItem, needs: readonly string[]) => void order.push({ item, needs });
  const tileKeys = (list: readonly number[]) => list.map((index) => keyOf({ kind: 'tile', index }));
  // What becomes possible with a tile: by the last tile that it waits for.
  const after = new Map<number, OrderedItem[]>();
  const later = (item: SlideItem, waits: readonly number[], needs: readonly string[]) => {
    const last = waits.at(-1) as number;
    const list = after.get(last) ?? [];
    list.push({ item, needs });
    after.set(last, list);
  };
  for (let index = 0; reads.regions && index < patches.count; index++) {
    const waits = tiles.meeting(patches.region(index));
    later({ kind: 'patch', index }, waits, tileKeys(waits));
  }
  for (let index = 0; reads.cells && index < blocks.count; index++) {
    const waits = tiles.meeting(blocks.region(index));
    later({ kind: 'calls', index }, waits, [...tileKeys(waits), keyOf({ kind: 'block', index })]);
  }
  const begun = new Set<number>();
  for (let tile = 0; tile < tiles.count; tile++) {
    const wanted = reads.cells ? blocks.meeting(tiles.region(tile)) : [];
    for (const index of wanted) {
      if (!begun.has(index)) put({ kind: 'block', index }, []);
      begun.add(index);
    }
    put(
      { kind: 'tile', index: tile },
      wanted.map((index) => keyOf({ kind: 'block', index })),
    );
    order.push(...(after.get(tile) ?? []));
  }
  return order;
}

/** Hands out items whose needs are done, those that come first in the order first. */
export class Schedule {
  readonly #waiting: OrderedItem[];
  readonly #done: Set<string>;
  #running = 0;
  #stopped = false;
  #wake: (() => void)[] = [];

  /** @param done names of items whose files are there */
  constructor(order: readonly OrderedItem[], done: ReadonlySet<string>) {
    this.#done = new Set(done);
    this.#waiting = order.filter(({ item }) => !done.has(keyOf(item)));
  }

  /** The next item; waits for one to become possible. Undefined when there is nothing left to begin. */
  async next(): Promise<SlideItem | undefined> {
    for (;;) {
      if (this.#stopped || this.#waiting.length === 0) return undefined;
      const at = this.#waiting.findIndex(({ needs }) => needs.every((need) => this.#done.has(need)));
      if (at >= 0) {
        const [next] = this.#waiting.splice(at, 1) as [OrderedItem];
        this.#running++;
        return next.item;
      }
      if (this.#running === 0) throw new Error(`no item can be done: ${keyOf((this.#waiting[0] as OrderedItem).item)} waits for nothing`);
      await new Promise<void>((wake) => this.#wake.push(wake));
    }
  }

  finished(item: SlideItem): void {
    this.#done.add(keyOf(item));
    this.#running--;
    this.#awake();
  }

  /** Nothing more is handed out. */
  stop(): void {
    this.#stopped = true;
    this.#awake();
  }

  #awake(): void {
    for (const wake of this.#wake.splice(0)) wake();
  }
}
