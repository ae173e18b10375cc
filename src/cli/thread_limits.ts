// Where the number of threads comes from: what native/threads.cpp looks at, for people.
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';

/** What limits the threads of a process. */
export interface ThreadLimit {
  from: string;
  /** Undefined: no limit. */
  threads: number | undefined;
}

const textOf = (path: string): string => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
};

/** Whole processors of a quota and its period. */
function cpusOf(quota: number, period: number): number | undefined {
  return quota > 0 && period > 0 ? Math.max(1, Math.ceil(quota / period)) : undefined;
}

function cgroupLimit(): number | undefined {
  const limits: (number | undefined)[] = [];
  const v2 = (group: string): void => {
    for (let path = group; ; path = path.slice(0, path.lastIndexOf('/'))) {
      const [quota, period] = textOf(`/sys/fs/cgroup${path}/cpu.max`).split(/\s+/).map(Number);
      limits.push(cpusOf(quota ?? 0, period ?? 0));
      if (path === '' || path === '/') return;
    }
  };
  const v1 = (group: string): void => {
    for (const path of [group, '']) {
      const folder = `/sys/fs/cgroup/cpu${path}/`;
      limits.push(cpusOf(Number(textOf(`${folder}cpu.cfs_quota_us`)), Number(textOf(`${folder}cpu.cfs_period_us`))));
    }
  };
  v2('');
  v1('');
  for (const line of textOf('/proc/self/cgroup').split('\n')) {
    const [, controllers = '', ...rest] = line.split(':');
    const path = rest.join(':');
    if (controllers === '' && path !== '') v2(path);
    else if (controllers.split(',').includes('cpu')) v1(path);
  }
  const known = limits.filter((limit) => limit !== undefined);
  return known.length === 0 ? undefined : Math.min(...known);
}

function fromEnvironment(name: string): number | undefined {
  const value = Number(process.env[name] ?? '');
  return Number.isInteger(value) && value >= 1 && value <= 1024 ? value : undefined;
}

/** UAM_THREADS where it is set, else the least of the others. */
export const threadLimits = (): ThreadLimit[] => [
  { from: 'UAM_THREADS', threads: fromEnvironment('UAM_THREADS') },
  { from: 'CPU affinity', threads: availableParallelism() },
  { from: 'cgroup quota', threads: cgroupLimit() },
  { from: 'SLURM_CPUS_PER_TASK', threads: fromEnvironment('SLURM_CPUS_PER_TASK') },
];

/** In words: `2: the least of CPU affinity 2, cgroup quota none, SLURM_CPUS_PER_TASK none`. */
export function threadsText(threads: number, limits: readonly ThreadLimit[]): string {
  const [own, ...others] = limits as [ThreadLimit, ...ThreadLimit[]];
  if (own.threads !== undefined) return `${threads}: UAM_THREADS says so`;
  return `${threads}: the least of ${others.map(({ from, threads }) => `${from} ${threads ?? 'none'}`).join(', ')}`;
}
