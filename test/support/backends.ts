import { type Backend, setBackend, setThreads } from '../../src/index.js';
import { currentBackend, type Device, hasCuda, nativeRuntime } from '../../src/native/device.js';

export interface TestBackend {
  name: string;
  backend: Backend;
  isa?: string;
}

const isas = ['baseline', 'avx2', 'avx512'];

/** Backends that this run is to prove: `UAM_TEST_BACKENDS=cuda` leaves the others to `npm test`. Default: all. */
const wanted = process.env.UAM_TEST_BACKENDS?.split(',');

/** Whether this run is to prove a backend. */
export const proves = (backend: Backend): boolean => wanted?.includes(backend) ?? true;

/** The reference, the CPU kernels with every instruction set that this machine has, and a card's (or its emulation's). */
export function testBackends(): TestBackend[] {
  const runtime = nativeRuntime();
  const native = runtime ? isas.slice(0, isas.indexOf(runtime.bestIsa()) + 1) : [];
  const all: TestBackend[] = [
    { name: 'reference', backend: 'reference' },
    ...native.map((isa) => ({ name: `cpu ${isa}`, backend: 'cpu' as const, isa })),
    ...(hasCuda() ? [{ name: 'cuda', backend: 'cuda' as const }] : []),
  ];
  return all.filter(({ backend }) => proves(backend));
}

/** Runs `body` on a backend with a number of threads, and puts things back. */
export function onBackend<T>({ backend, isa }: TestBackend, threads: number, body: () => T): T {
  const runtime = nativeRuntime();
  const before = { isa: runtime?.isa(), threads: runtime?.threads() };
  const backendBefore = currentBackend();
  setBackend(backend);
  if (isa) runtime?.setIsa(isa);
  setThreads(threads);
  try {
    return body();
  } finally {
    if (runtime && before.isa && before.threads) {
      runtime.setIsa(before.isa);
      setThreads(before.threads);
    }
    setBackend(backendBefore);
  }
}

/** Where work on images and cells runs under the current backend, which it does not follow by itself. */
export const hostDevice = (): Device => (currentBackend() === 'cuda' ? 'cuda' : 'cpu');

/** What computes features: the CPU, the definitions, and a card where there is one. */
export const featureBackends = (): Backend[] => ['cpu', 'reference', ...(hasCuda() ? (['cuda'] as const) : [])];

/** Whether the CUDA device is the emulation, whose arithmetic is the host's. */
export const emulatesCuda = (): boolean => nativeRuntime()?.cudaStatus().includes('emulated') ?? false;
