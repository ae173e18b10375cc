// The table of a run, for people and for bench/results/.
import { duration } from '../report.js';
import type { Bound } from './card_rates.js';
import type { CudaCase } from './case.js';

/** Work of many launches. */
export interface Figure {
  group: string;
  name: string;
  seconds: number;
  best: number;
  samples: number;
  amount: { count: number; unit: string };
  /** Microseconds that the plan allows. */
  planned?: number;
  note: string;
}

export interface Measured {
  case: CudaCase;
  median: number;
  best: number;
  samples: number;
  error: number;
  floor: { seconds: number; bound: Bound } | undefined;
  /** A peer's seconds. */
  peer: number | undefined;
}

const PREFIXES = ['', 'k', 'M', 'G', 'T', 'P'];

/** 3.21e14, 'FLOP' -> '321 TFLOP/s' */
export function rateText(perSecond: number, unit: string): string {
  if (!Number.isFinite(perSecond)) return '-';
  const step = Math.max(0, Math.min(PREFIXES.length - 1, Math.floor(Math.log10(Math.max(perSecond, 1)) / 3)));
  return `${(perSecond / 1000 ** step).toPrecision(3)} ${PREFIXES[step]}${unit}/s`;
}

const microseconds = (seconds: number | undefined) => (seconds === undefined ? '-' : (seconds * 1e6).toFixed(seconds < 1e-3 ? 1 : 0));

function aligned(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map((row) =>
      row
        .map((cell, i) => (i < 2 ? cell.padEnd(widths[i] as number) : cell.padStart(widths[i] as number)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** `timings` false: only errors are told, because an emulation's times say nothing. */
export function kernelTable(measured: readonly Measured[], timings: boolean): string {
  const head = [
    'kernel',
    'shape',
    'products',
    'plan us',
    'median us',
    'of floor',
    'bound',
    'rate',
    'GB/s',
    'error',
    'torch us',
    'torch / ours',
  ];
  const rows = measured.map(({ case: { kernel, shape, precision, planned, rate, work }, median, error, floor, peer }) => [
    ...[kernel, shape, precision ?? '-'],
    ...(timings
      ? [
          ...[planned?.toFixed(0) ?? '-', microseconds(median)],
          ...[floor ? `${((100 * floor.seconds) / median).toFixed(0)} %` : '-', floor?.bound ?? '-'],
          ...[rateText(rate.count / median, rate.unit), ((work.bytes ?? 0) / median / 1e9).toFixed(0)],
        ]
      : ['-', '-', '-', '-', '-', '-']),
    error.toExponential(1),
    ...(timings && peer ? [microseconds(peer), `${(peer / median).toFixed(2)}x`] : ['-', '-']),
  ]);
  return aligned([head, ...rows]);
}

export function figureTable(figures: readonly (Figure & { torch?: number | undefined })[], timings: boolean): string {
  const rows = figures.map(({ group, name, seconds, planned, amount, note, torch }) => [
    ...[group, name],
    ...(timings
      ? [planned ? duration(planned / 1e6) : '-', duration(seconds), rateText(amount.count / seconds, amount.unit)]
      : ['-', '-', '-']),
    ...(timings && torch ? [duration(torch), `${(torch / seconds).toFixed(2)}x`] : ['-', '-']),
    timings ? note : note.replace(/without JavaScript.*step; |copies timed alone.*/, ''),
  ]);
  return aligned([['what', 'case', 'plan', 'median', 'rate', 'torch', 'torch / ours', 'note'], ...rows]);
}

const rounded = (value: number) => Number(value.toPrecision(4));

export const kernelRecord = ({
  case: { kernel, shape, precision, planned, work },
  median,
  best,
  samples,
  error,
  floor,
  peer,
}: Measured) => ({
  ...{ kernel, shape, precision, work, ...(planned && { planned: rounded(planned) }) },
  ...{ median: rounded(median), best: rounded(best), samples, error: rounded(error) },
  ...(floor && { floor: rounded(floor.seconds), bound: floor.bound, shareOfFloor: rounded(floor.seconds / median) }),
  ...(peer && { torch: rounded(peer), torchOverOurs: rounded(peer / median) }),
});

export const figureRecord = ({
  group,
  name,
  seconds,
  best,
  samples,
  amount,
  planned,
  note,
  torch,
}: Figure & { torch?: number | undefined }) => ({
  ...{ group, name, median: rounded(seconds), best: rounded(best), samples, amount, note },
  ...(planned && { planned }),
  ...(torch && { torch: rounded(torch), torchOverOurs: rounded(torch / seconds) }),
});
