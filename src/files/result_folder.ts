// A folder of results that appears under its name when it is whole, and never takes the place of what a user put there.
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { lstat, mkdir, readdir, readFile, realpath, rename, rm, rmdir, writeFile } from 'node:fs/promises';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { UamError } from '../errors.js';
import { temporaryName, unwritable } from './output_file.js';

/** In each folder: who made it, and the checksum of every other file. By it a folder is known as ours, and untouched. */
const LIST = 'files.json';

/** What stands where the folder shall be. */
type Standing = 'nothing' | 'ours' | { foreign: string };

export interface ResultFolderOptions {
  /** What makes the folder: only its own folders are replaced. */
  maker: string;
  /** Where something of the user's stands under the name, take the next one that is free (`name-2`, ...) instead of refusing. */
  freshName: boolean;
  /** Files that the run reads: a folder that holds one of them is not replaced. */
  reads?: readonly string[];
  /** Where the folder is until it is whole, on the same disk; what is there goes. Default: a hidden folder beside it. */
  unfinished?: string | undefined;
  /** Files that tell the time of the run: the list names them without a checksum, so that equal runs have equal lists. */
  dated?: readonly string[];
}

export class ResultFolder {
  /** The unfinished folder: `removeUnfinished(path)` finds it. */
  readonly temporary: string;
  /** Names of the files in the order in which they were asked for. */
  readonly files: string[] = [];

  private constructor(
    /** Where it will be. */
    readonly path: string,
    private readonly options: ResultFolderOptions,
  ) {
    this.temporary = options.unfinished ?? temporaryName(path);
  }

  /**
   * Begins a folder beside where it will be.
   *
   * @throws UamError `UAM_ARGUMENT` where the name is taken by something of the user's, `UAM_IO`
   */
  static async begin(out: string, options: ResultFolderOptions): Promise<ResultFolder> {
    const folder = new ResultFolder(await freePlace(out, options), options);
    await orUnwritable(folder.path, async () => {
      await rm(folder.temporary, { recursive: true, force: true });
      await mkdir(folder.temporary);
    });
    return folder;
  }

  /** Where to write a file of the folder; `/` parts the folders in its name. */
  async place(name: string): Promise<string> {
    const path = join(this.temporary, ...name.split('/'));
    await orUnwritable(path, () => mkdir(dirname(path), { recursive: true }));
    this.files.push(name);
    return path;
  }

  async writeText(name: string, text: string): Promise<void> {
    const path = await this.place(name);
    await orUnwritable(path, () => writeFile(path, text));
  }

  /**
   * Puts the folder in its place; an untouched one of an earlier run goes.
   *
   * @throws UamError `UAM_IO`, also where something of the user's has come under the name meanwhile
   */
  async finish(): Promise<void> {
    const { maker, dated = [] } = this.options;
    const all = (await checksums(this.temporary)).sort(([a], [b]) => (a < b ? -1 : 1));
    const sums = Object.fromEntries(all.map(([name, sum]) => [name, dated.includes(name) ? null : sum]));
    await this.writeText(LIST, `${JSON.stringify({ madeBy: maker, sha256: sums }, null, 2)}\n`);
    await orUnwritable(this.path, async () => {
      const standing = await whatStands(this.path, maker);
      if (typeof standing === 'object') throw new UamError('UAM_IO', `cannot write ${this.path}: ${standing.foreign}`);
      const old = temporaryName(this.path);
      if (standing === 'ours') await rename(this.path, old);
      else await rmdir(this.path).catch(() => {}); // an empty folder, or nothing
      try {
        await rename(this.temporary, this.path);
      } catch (error) {
        if (standing === 'ours') await rename(old, this.path);
        throw error;
      }
      await rm(old, { recursive: true, force: true });
    });
  }

  /** Leaves nothing behind. */
  async abort(): Promise<void> {
    await rm(this.temporary, { recursive: true, force: true });
  }
}

async function freePlace(out: string, { maker, freshName, reads = [] }: ResultFolderOptions): Promise<string> {
  const through = (path: string) => realpath(path).catch(() => resolve(path)); // through links: a link stays one
  const wanted = await through(out);
  const read = await Promise.all(reads.map(through));
  for (let i = 1; i <= 1000; i++) {
    const path = i === 1 ? wanted : `${wanted}-${i}`;
    const within = reads.find((_, i) => (read[i] as string).startsWith(path + sep));
    const standing = within
      ? { foreign: `the folder holds ${within}, which the run reads` }
      : await orUnwritable(path, () => whatStands(path, maker));
    if (typeof standing === 'string') return path;
    if (!freshName) throw new UamError('UAM_ARGUMENT', `--out ${out}: ${standing.foreign}; name another folder`);
  }
  throw new UamError('UAM_ARGUMENT', `--out: there are a thousand folders ${out}-*; name another one`);
}

async function whatStands(path: string, maker: string): Promise<Standing> {
  const kind = await lstat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (!kind) return 'nothing';
  if (!kind.isDirectory()) return { foreign: 'it is no folder' };
  if ((await readdir(path)).length === 0) return 'nothing';
  const list = await readFile(join(path, LIST), 'utf8').then(parsed, () => undefined);
  if (list?.madeBy !== maker || typeof list.sha256 !== 'object' || list.sha256 === null) {
    return { foreign: `the folder holds files, and '${maker}' did not make it` };
  }
  const known = new Map(Object.entries(list.sha256));
  for (const [name, sum] of await checksums(path)) {
    if (name === LIST || known.get(name) === sum || known.get(name) === null) continue;
    return { foreign: `the folder holds ${name}, which ${known.has(name) ? 'was changed' : `'${maker}' did not make`}` };
  }
  return 'ours';
}

function parsed(text: string): { madeBy?: unknown; sha256?: Record<string, unknown> | null } | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Every file under a folder with its SHA-256. What is neither file nor folder has none. */
async function checksums(folder: string): Promise<[name: string, sum: string][]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const sums: [string, string][] = [];
  for (const entry of entries) {
    if (entry.isDirectory()) continue;
    const path = join(entry.parentPath, entry.name);
    const sum = entry.isFile() ? await checksum(path) : '';
    sums.push([relative(folder, path).split(sep).join('/'), sum]);
  }
  return sums;
}

/** Read part by part: a result may be larger than memory. */
async function checksum(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const part of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(part as Buffer);
  return hash.digest('hex');
}

async function orUnwritable<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw await unwritable(path, error);
  }
}
