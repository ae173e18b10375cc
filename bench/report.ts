// Tables for people, JSON for bench/results/.
import type { Floor, Floors } from './floors.js';
import type { Samples, Work } from './harness.js';

/** One case at one thread count. */
export interface Timing {
  threads: number;
  ours: Samples;
  peers: Map<string, Samples>;
}

export interface TimedResult {
  name: string;
  work: Work;
  amount: { count: number; unit: string } | undefined;
  goal: number | undefined;
  timings: Timing[];
}

export interface FigureResult {
  name: string;
  unit: string;
  goal: number | undefined;
  values: number[];
}

const digits = (value: number) => (value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2));

export function duration(seconds: number): string {
  if (!Number.isFinite(seconds)) return '-';
  if (seconds >= 1) return `${digits(seconds)} s`;
  return seconds >= 1e-3 ? `${digits(seconds * 1e3)} ms` : `${digits(seconds * 1e6)} us`;
}

const percent = (share: number) => `${Math.round(share * 100)} %`;
const times = (ratio: number) => `${digits(ratio)}x`;

function rate({ work, amount: done }: TimedResult, { bound }: Floor, seconds: number): string {
  if (done) return `${Math.round(done.count / seconds)} ${done.unit}/s`;
  const { flops = 0, exps = 0, bytes = 0 } = work;
  const amount = bound === 'GB/s' ? bytes : bound === 'Gexp/s' ? exps : flops;
  return amount ? `${digits(amount / seconds / 1e9)} ${bound}` : '-';
}

/** Columns as wide as their widest entry; the first is aligned left, the others right. */
function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]) =>
    row.map((cell, column) => (column === 0 ? cell.padEnd(widths[column] as number) : cell.padStart(widths[column] as number))).join('  ');
  return rows.map((row) => line(row).trimEnd()).join('\n');
}

/**
 * One line per case and thread count. "of floor" and the peers' columns compare medians, then best times in brackets; a peer's
 * figure is its time over ours, so above 1x we are faster. "scaling" is the first thread count's median over this one's.
 */
export function timedTable(results: readonly TimedResult[], floors: Floors): string {
  const peers = [...new Set(results.flatMap(({ timings }) => timings.flatMap((timing) => [...timing.peers.keys()])))];
  const rows = [['case', 'threads', 'median', 'best', 'cpu', 'rate', 'of floor', 'scaling', ...peers]];
  for (const result of results) {
    const { name, work, goal, timings } = result;
    for (const [index, { threads, ours, peers: theirs }] of timings.entries()) {
      const floor = floors.at(work, threads);
      const share = floor.seconds / ours.median;
      const first = timings[0] as Timing;
      const compared = peers.map((peer) => {
        const samples = theirs.get(peer);
        return samples ? `${times(samples.median / ours.median)} (${times(samples.best / ours.best)})` : '-';
      });
      rows.push([
        index === 0 ? name : '',
        String(threads),
        duration(ours.median),
        duration(ours.best),
        duration(ours.cpu),
        rate(result, floor, ours.median),
        floor.seconds > 0
          ? `${percent(share)} (${percent(floor.seconds / ours.best)})${goal === undefined ? '' : ` of ${percent(goal)}`}`
          : '-',
        index === 0 ? '' : times(first.ours.median / ours.median),
        ...compared,
      ]);
    }
  }
  return table(rows);
}

export function figureTable(results: readonly FigureResult[], median: (values: readonly number[]) => number): string {
  const rows = [['figure', 'median', 'best', 'goal']];
  for (const { name, unit, goal, values } of results) {
    rows.push([
      name,
      `${digits(median(values))} ${unit}`,
      `${digits(Math.min(...values))} ${unit}`,
      goal === undefined ? '-' : `<= ${goal} ${unit}`,
    ]);
  }
  return table(rows);
}

const rounded = (value: number) => Number(value.toPrecision(4));

/** What bench/results/ keeps of a timed case: seconds, and shares that follow from them. */
export function timedRecord({ name, work, amount, goal, timings }: TimedResult, floors: Floors): object {
  const samples = ({ median, best, seconds, cpu }: Samples) => ({
    median: rounded(median),
    best: rounded(best),
    ...(Number.isNaN(cpu) ? {} : { cpu: rounded(cpu) }),
    samples: seconds.length,
  });
  return {
    name,
    work,
    amount,
    goal,
    timings: timings.map(({ threads, ours, peers }) => {
      const floor = floors.at(work, threads);
      return {
        threads,
        ...samples(ours),
        floor: rounded(floor.seconds),
        bound: floor.bound,
        shareOfFloor: rounded(floor.seconds / ours.median),
        scaling: rounded((timings[0] as Timing).ours.median / ours.median),
        peers: Object.fromEntries([...peers].map(([peer, theirs]) => [peer, samples(theirs)])),
      };
    }),
  };
}

export function figureRecord({ name, unit, goal, values }: FigureResult, median: (values: readonly number[]) => number): object {
  return { name, unit, goal, median: rounded(median(values)), best: rounded(Math.min(...values)), samples: values.length };
}
