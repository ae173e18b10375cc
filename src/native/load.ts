import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { UamError, type UamErrorCode } from '../errors.js';
import { here } from './here.js';

export type KernelFunction = (params: object) => void;
export type AsyncKernelFunction = (params: object, cancel?: Int32Array) => Promise<void>;

/** The kernels of one device: `{ selective_scan_fwd(params), ..., async: { selective_scan_fwd(params, cancel) } }`. */
export type KernelTable = Record<string, KernelFunction> & { async: Record<string, AsyncKernelFunction> };

/** The addon's functions for the memory of a card; handles are opaque. */
export interface DeviceFunctions {
  allocate(dtype: string, length: number): object;
  view(array: object, first: number, length: number, dtype: string): object;
  release(array: object): void;
  upload(to: object, from: ArrayBufferView): void;
  download(from: object, to: ArrayBufferView): void;
  downloadLater(from: object, to: ArrayBufferView): Promise<void>;
  copy(to: object, from: object): void;
  fill(array: object, value: number): void;
  wait(): void;
  liveBytes(): number;
  select(index: number): void;
  card(): CudaCard;
  matmulPrecision(): number;
  setMatmulPrecision(precision: number): void;
}

/** A CUDA card, as its driver describes it. */
export interface CudaCard {
  name: string;
  /** Its number among those of the machine. */
  index: number;
  /** Compute capability, such as '9.0'. */
  capability: string;
  /** CUDA version of the driver and of the runtime in the addon, as 1000 major + 10 minor. */
  driver: number;
  runtime: number;
  /** Bytes in all, and free now. */
  memory: number;
  free: number;
  /** What the addon's kernels were compiled for. */
  architectures: string;
}

export interface Addon {
  cpu: KernelTable;
  cuda?: KernelTable;
  device: DeviceFunctions;
  runtime: {
    isa(): string;
    bestIsa(): string;
    setIsa(name: string): void;
    threads(): number;
    setThreads(threads: number): void;
    setAlone(alone: boolean): void;
    cudaStatus(): string;
    misalignment(buffer: ArrayBuffer): number;
  };
}

export interface Loaded {
  addon?: Addon;
  path?: string;
  /** Why there is no addon; empty where there is one. */
  reason: string;
}

/** The folder of the package: the nearest one above this module whose package.json bears its name. */
export function packageRoot(): string {
  for (let folder = dirname(fileURLToPath(here)); ; folder = dirname(folder)) {
    const file = join(folder, 'package.json');
    if (existsSync(file) && JSON.parse(readFileSync(file, 'utf8')).name === 'uam-native') return folder;
    if (folder === dirname(folder)) throw new UamError('UAM_ADDON', `uam-native: no package.json above ${fileURLToPath(here)}`);
  }
}

/** The version in the package's package.json. */
export function packageVersion(): string {
  return (JSON.parse(readFileSync(join(packageRoot(), 'package.json'), 'utf8')) as { version: string }).version;
}

/** Whether this Linux uses musl: its ldd says so. (process.report would tell too, but takes a tenth of a second.) */
function usesMusl(): boolean {
  try {
    return readFileSync('/usr/bin/ldd', 'utf8').includes('musl');
  } catch {
    return existsSync('/etc/alpine-release');
  }
}

/** `linux-x64`, `linux-x64-musl`, `darwin-arm64` ...: the name of a prebuild's folder. */
export function platformName(): string {
  return `${process.platform}-${process.arch}${process.platform === 'linux' && usesMusl() ? '-musl' : ''}`;
}

function failure(tried: { path: string; error: string }[]): string {
  const list = tried.map(({ path, error }) => `  ${path}: ${error}`).join('\n');
  return (
    `uam-native: the native addon could not be loaded on ${platformName()}, Node ${process.version}; tried\n${list}\n` +
    'To mend it: in a clone run `npm ci` (needs a C++ compiler); elsewhere install a release that has a prebuild for this ' +
    'platform, or point UAM_ADDON at a built uam_native.node.'
  );
}

/**
 * Tries `UAM_ADDON`, then a packaged prebuild, then a local build. A path named by `UAM_ADDON` must load, and settings that
 * the addon refuses (`UAM_ISA`, `UAM_THREADS`) are errors; otherwise the caller falls back to the TypeScript reference.
 */
export function loadAddon(): Loaded {
  const require = createRequire(here);
  const explicit = process.env.UAM_ADDON;
  const root = packageRoot();
  const candidates = explicit
    ? [explicit]
    : [join(root, 'prebuilds', platformName(), 'uam_native.node'), join(root, 'build', 'Release', 'uam_native.node')];
  const tried: { path: string; error: string }[] = [];
  if (explicit && !explicit.endsWith('.node')) {
    throw new UamError('UAM_ADDON', `UAM_ADDON must be the path of a uam_native.node, received '${explicit}'`);
  }
  for (const path of candidates) {
    if (!existsSync(path)) {
      tried.push({ path, error: 'no such file' });
      continue;
    }
    try {
      return { addon: require(path) as Addon, path, reason: '' };
    } catch (error) {
      const { code, message } = error as { code?: string; message: string };
      if (code?.startsWith('UAM_')) throw new UamError(code as UamErrorCode, message, { cause: error });
      tried.push({ path, error: message });
    }
  }
  if (explicit) throw new UamError('UAM_ADDON', failure(tried));
  return { reason: failure(tried) };
}
