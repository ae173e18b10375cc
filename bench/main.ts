// npm run bench [-- name ...] [--case text] [--json] [--quick] [--no-peers] [--threads 1,2]
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { currentBackend, setThreads } from '../src/native/device.js';
import { packageRoot } from '../src/native/load.js';
import { Floors } from './floors.js';
import { type BenchCase, type FigureCase, median, Samples, type TimedCase } from './harness.js';
import { commit, machine } from './machine.js';
import { type Peer, startPeers } from './peer_process.js';
import { type FigureResult, figureRecord, figureTable, type TimedResult, type Timing, timedRecord, timedTable } from './report.js';

const usage = `npm run bench [-- name ...] [options]
  name            the benchmarks to run: bench/<name>.bench.ts; all where none is named
  --case text     only the cases whose names contain the text
  --threads list  thread counts, default 1,2
  --quick         3 short rounds instead of 5, and no peers
  --no-peers      without onnxruntime, PyTorch and OpenBLAS
  --json          writes bench/results/<name>.json (not with --case or --quick, which measure less)`;

interface Plan {
  rounds: number;
  /** Milliseconds that each side gets in a round. */
  slice: number;
  threads: number[];
  floors: Floors;
  peers: Peer[];
}

const log = (line = '') => process.stdout.write(`${line}\n`);

/** One case at one thread count: floor, ours and the peers take turns. */
async function timeCase(run: () => void, { work, peers: shape, name }: TimedCase, threads: number, plan: Plan): Promise<Timing> {
  setThreads(threads);
  const ours = new Samples();
  const theirs = new Map<Peer, Samples>();
  const silent = new Set<Peer>();
  for (let round = 0; round < plan.rounds; round++) {
    plan.floors.refresh(work, threads);
    ours.gather(run, plan.slice, 1);
    for (const peer of shape ? plan.peers : []) {
      const samples = theirs.get(peer) ?? new Samples();
      const slow = (round >= 2 && samples.best > 1) || (round >= 1 && samples.best > 5);
      if (silent.has(peer) || slow) continue;
      try {
        const seconds = await peer.measure(shape as NonNullable<typeof shape>, threads, plan.slice);
        if (seconds) theirs.set(peer, samples);
        else silent.add(peer);
        samples.add(seconds ?? []);
      } catch (error) {
        silent.add(peer);
        log(`${peer.name} at ${name}: ${(error as Error).message}`);
      }
      if (threads > 1) await pause(20); // its threads may spin a little before they sleep
    }
  }
  return { threads, ours, peers: new Map([...theirs].map(([peer, samples]) => [peer.name, samples])) };
}

async function timed(item: TimedCase, plan: Plan): Promise<TimedResult> {
  setThreads(Math.max(...plan.threads));
  const run = item.setup();
  const timings: Timing[] = [];
  for (const threads of plan.threads) timings.push(await timeCase(run, item, threads, plan));
  return { name: item.name, work: item.work, amount: item.amount, goal: item.goal, timings };
}

async function figure({ name, unit, goal, measure }: FigureCase, plan: Plan): Promise<FigureResult> {
  return { name, unit, goal, values: await measure(plan.rounds) };
}

/** Runs the cases of one file and prints them; returns what to save. Cases that throw are told, and the others go on. */
async function runBench(cases: readonly BenchCase[], plan: Plan): Promise<{ records: object[]; failures: number }> {
  const timedResults: TimedResult[] = [];
  const figures: FigureResult[] = [];
  let failures = 0;
  for (const item of cases) {
    try {
      if ('setup' in item) timedResults.push(await timed(item, plan));
      else figures.push(await figure(item, plan));
    } catch (error) {
      failures++;
      log(`${item.name} failed: ${(error as Error).stack ?? error}`);
    }
  }
  if (timedResults.length > 0) log(timedTable(timedResults, plan.floors));
  if (figures.length > 0) log(figureTable(figures, median));
  return {
    records: [...timedResults.map((result) => timedRecord(result, plan.floors)), ...figures.map((result) => figureRecord(result, median))],
    failures,
  };
}

/** One line per case, so that a later run differs from this one readably. */
function save(folder: string, name: string, head: object, records: readonly object[]): void {
  const lines = [...Object.entries({ name, ...head }).map(([key, value]) => `"${key}": ${JSON.stringify(value)}`), '"cases": ['];
  const cases = records.map((record) => JSON.stringify(record)).join(',\n');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, `${name}.json`), `{\n${lines.join(',\n')}\n${cases}\n]\n}\n`);
}

function describeFloors(floors: Floors, threads: number[]): Record<string, number>[] {
  return threads.map((count) => {
    setThreads(count);
    return floors.summary(count);
  });
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      case: { type: 'string', default: '' },
      threads: { type: 'string', default: '1,2' },
      quick: { type: 'boolean', default: false },
      'no-peers': { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    log(usage);
    return;
  }
  const folder = dirname(fileURLToPath(import.meta.url));
  const root = packageRoot();
  const known = readdirSync(folder)
    .flatMap((file) => (file.endsWith('.bench.js') ? [file.slice(0, -'.bench.js'.length)] : []))
    .sort();
  const unknown = positionals.filter((name) => !known.includes(name));
  if (unknown.length > 0) throw new Error(`no benchmark ${unknown.join(', ')}; there are ${known.join(', ')}\n${usage}`);
  if (values.json && (values.case || values.quick)) throw new Error(`--json keeps whole runs only\n${usage}`);
  if (currentBackend() !== 'cpu') throw new Error('the native addon is not loaded: npm run build');

  const benches = await Promise.all(
    (positionals.length > 0 ? positionals : known).map(async (name) => {
      const { default: cases } = (await import(pathToFileURL(join(folder, `${name}.bench.js`)).href)) as { default: readonly BenchCase[] };
      return { name, cases: cases.filter((item) => item.name.includes(values.case)) };
    }),
  );
  const compared = benches.some(({ cases }) => cases.some((item) => 'peers' in item && item.peers));
  const plan: Plan = {
    rounds: values.quick ? 3 : 5,
    slice: values.quick ? 40 : 120,
    threads: values.threads.split(',').map(Number),
    floors: new Floors(),
    peers: compared && !values.quick && !values['no-peers'] ? await startPeers(root, log) : [],
  };
  const on = machine();
  const floors = describeFloors(plan.floors, plan.threads);
  log(`${on.cpu}, ${on.cores} cores, ${on.isa}, node ${on.node}, load ${on.load}`);
  if (on.load > 0.7) log('others are using this machine: the best times, in brackets, say more than the medians');
  for (const rates of floors)
    log(
      `floors: ${Object.entries(rates)
        .map(([what, value]) => `${what} ${value}`)
        .join(', ')}`,
    );

  for (const { name, cases } of benches) {
    if (cases.length === 0) continue;
    log(`\n${name}`);
    const { records, failures } = await runBench(cases, plan);
    if (failures > 0) process.exitCode = 1;
    if (!values.json || failures > 0) continue;
    save(join(root, 'bench', 'results'), name, { date: new Date().toISOString(), commit: commit(root), machine: on, floors }, records);
  }
  for (const peer of plan.peers) peer.stop();
}

await main().catch((error: Error) => {
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
});
