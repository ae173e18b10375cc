// Where bytes go: a file that appears under its name only when it is whole, or standard output. Every file of this package is
// written through here.
import { randomBytes } from 'node:crypto';
import { readdirSync, realpathSync, rmSync } from 'node:fs';
import { copyFile, type FileHandle, lstat, open, realpath, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { UamError } from '../errors.js';

/** Takes bytes in order. `write` settles when more may be given, so that nothing piles up in memory. */
export interface Output {
  write(bytes: Uint8Array): Promise<void>;
  /** Everything is where it belongs when this settles. */
  close(): Promise<void>;
  /** Leaves nothing behind, as far as that can be done. */
  abort(): Promise<void>;
  /** The unfinished file, for those who must remove it in a hurry; absent where there is none. */
  readonly temporary?: string;
}

/** A file whose first bytes may be told at the end, as formats with an index want it. */
export interface FileOutput extends Output {
  /** Puts bytes in the place of written ones, from byte `at` on; what is written next still goes to the end. Not for pipes. */
  overwrite(at: number, bytes: Uint8Array): Promise<void>;
}

/** The name of an unfinished file or folder beside its target: hidden, and named after it and the process. */
export const temporaryName = (target: string): string => `${temporaryStart(target)}${randomBytes(4).toString('hex')}.tmp`;
const temporaryStart = (target: string): string => join(dirname(target), `.${basename(target)}.${process.pid}-`);

/** Opens a file, or standard output for `'-'`; see `openFile`. */
export const openOutput = async (path: string, keep = false): Promise<Output> => (path === '-' ? standardOutput() : openFile(path, keep));

/**
 * Opens a file that gets its name when it is closed: until then its bytes are in another one in the same folder, and what was there
 * before stays. A link stays one, a file keeps its permissions, and pipes and devices are written as they are.
 *
 * @param keep start with what the file holds already, where it exists
 * @throws UamError `UAM_IO`
 */
export async function openFile(path: string, keep = false): Promise<FileOutput> {
  try {
    const target = await realpath(path).catch(() => path); // through links: a link stays one
    const kind = await stat(target).catch(() => undefined);
    if (kind?.isDirectory()) throw new UamError('UAM_IO', `cannot write ${path}: it is a folder; name a file in it`);
    // A pipe or a device is written as it is: it must not be replaced by a file.
    if (kind && !kind.isFile()) return new OpenFile(await open(target, 'w'), path);
    return await openTemporary(temporaryName(target), target, path, keep && kind !== undefined, kind?.mode);
  } catch (error) {
    throw await unwritable(path, error);
  }
}

/**
 * Removes what this process has left unfinished of a file or folder: for those who must end at once, whoever was writing it.
 *
 * @param path the name that it would have got
 */
export function removeUnfinished(path: string): void {
  try {
    const start = temporaryStart(resolvedLink(path));
    const folder = dirname(start);
    for (const name of readdirSync(folder)) {
      if (name.startsWith(basename(start)) && name.endsWith('.tmp')) rmSync(join(folder, name), { force: true, recursive: true });
    }
  } catch {
    // without the folder there is nothing to remove
  }
}

function resolvedLink(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}

async function openTemporary(temporary: string, target: string, path: string, keep: boolean, mode?: number): Promise<FileOutput> {
  if (keep) await copyFile(target, temporary);
  try {
    const handle = await open(temporary, keep ? 'a' : 'wx');
    if (mode !== undefined) await handle.chmod(mode & 0o777); // the new file may be read by whom the old one could
    return new OpenFile(handle, path, { temporary, target });
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/** Bytes given to the system at once; Node takes no more than 2^31 - 1. */
const LONGEST_WRITE = 2 ** 30;

class OpenFile implements FileOutput {
  readonly temporary?: string;
  #handle: FileHandle | undefined;

  constructor(
    handle: FileHandle,
    private readonly path: string,
    private readonly renamed?: { temporary: string; target: string },
  ) {
    this.#handle = handle;
    if (renamed) this.temporary = renamed.temporary;
  }

  async write(bytes: Uint8Array): Promise<void> {
    try {
      for (let at = 0; at < bytes.length; ) {
        at += (await this.#open().write(bytes, at, Math.min(bytes.length - at, LONGEST_WRITE))).bytesWritten;
      }
    } catch (error) {
      throw await unwritable(this.path, error);
    }
  }

  async overwrite(at: number, bytes: Uint8Array): Promise<void> {
    try {
      for (let done = 0; done < bytes.length; ) {
        done += (await this.#open().write(bytes, done, bytes.length - done, at + done)).bytesWritten;
      }
    } catch (error) {
      throw await unwritable(this.path, error);
    }
  }

  async close(): Promise<void> {
    try {
      const handle = this.#open();
      if (this.renamed) await handle.sync(); // or a crash of the machine could leave an empty file under the name
      await this.#release();
      if (this.renamed) await rename(this.renamed.temporary, this.renamed.target);
    } catch (error) {
      await this.abort();
      throw await unwritable(this.path, error);
    }
  }

  async abort(): Promise<void> {
    await this.#release().catch(() => {});
    if (this.renamed) await rm(this.renamed.temporary, { force: true });
  }

  #open(): FileHandle {
    if (!this.#handle) throw new UamError('UAM_IO', `cannot write ${this.path}: it is closed`);
    return this.#handle;
  }

  async #release(): Promise<void> {
    const handle = this.#handle;
    this.#handle = undefined;
    await handle?.close();
  }
}

function standardOutput(): Output {
  const { stdout } = process;
  // A reader that goes away (`| head`) is reported by the write that notices; without a listener it would end the process.
  stdout.on('error', () => {});
  return {
    write: (bytes) =>
      new Promise((resolve, reject) => {
        // A copy: the caller may fill its buffer again before a slow reader has taken this.
        stdout.write(Buffer.from(bytes), (error) =>
          error ? reject(new UamError('UAM_IO', `cannot write standard output: ${error.message}`, { cause: error })) : resolve(),
        );
      }),
    close: async () => {},
    abort: async () => {},
  };
}

/** A failure to write, in words that name the file and what to do. */
export async function unwritable(path: string, error: unknown): Promise<UamError> {
  if (error instanceof UamError) return error;
  const { code, message } = error as NodeJS.ErrnoException;
  const folder = dirname(path);
  const reasons: Record<string, string> = {
    EACCES: `no permission to write in ${folder}`,
    EPERM: `no permission to write in ${folder}`,
    EROFS: `${folder} can only be read`,
    ENOSPC: 'the disk is full',
    EDQUOT: 'the quota of the disk is used up',
    ENOTDIR: `${folder} is not a folder`,
  };
  const absent = code === 'ENOENT' && !(await lstat(folder).catch(() => undefined));
  const reason = absent ? `the folder ${folder} does not exist; make it first` : (reasons[code ?? ''] ?? message);
  return new UamError('UAM_IO', `cannot write ${path}: ${reason}`, { cause: error });
}
