// Where the time of a function goes: every native kernel that it calls, by processor time. The kernels of the table are wrapped while
// the profile is taken, so what it costs is part of no other figure.
import { kernelTable } from '../src/native/device.js';

export interface OpShare {
  /** A kernel of native/kernels.def, or 'JavaScript': what no kernel accounts for. */
  op: string;
  calls: number;
  /** Processor seconds of one call of the function, all threads together. */
  cpu: number;
}

const cpuSeconds = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
};

/** Processor time of one call of `run`, by op, largest first; the mean over calls that take about `milliseconds` together. */
export function profileOps(run: () => void, milliseconds = 1000): OpShare[] {
  const table = kernelTable('cpu') as unknown as Record<string, (params: object) => void>;
  const spent = new Map<string, { calls: number; cpu: number }>();
  const originals = Object.entries(table).filter(([, value]) => typeof value === 'function');
  run();
  for (const [name, original] of originals) {
    table[name] = (params) => {
      const before = cpuSeconds();
      original(params);
      const entry = spent.get(name) ?? { calls: 0, cpu: 0 };
      entry.calls++;
      entry.cpu += cpuSeconds() - before;
      spent.set(name, entry);
    };
  }
  let calls = 0;
  const [start, from] = [cpuSeconds(), performance.now()];
  try {
    do run();
    while (++calls < 3 || performance.now() - from < milliseconds);
  } finally {
    for (const [name, original] of originals) table[name] = original;
  }
  const total = cpuSeconds() - start;
  const ofKernels = [...spent].map(([op, entry]): OpShare => ({ op, calls: entry.calls / calls, cpu: entry.cpu / calls }));
  const rest = total / calls - ofKernels.reduce((sum, { cpu }) => sum + cpu, 0);
  return [...ofKernels, { op: 'JavaScript', calls: 1, cpu: rest }].sort((a, b) => b.cpu - a.cpu);
}
