// Where results go: seen to before the work begins, not after an hour of it.
import { constants } from 'node:fs';
import { access, mkdir, realpath, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { UamError } from '../errors.js';

/** What stands at a path; undefined where nothing does. */
export async function kindAt(path: string): Promise<'file' | 'folder' | undefined> {
  const found = await stat(path).catch(() => undefined);
  return found && (found.isDirectory() ? 'folder' : 'file');
}

/** A result must not take the place of a file that the run reads. */
export async function refuseOverwriting(flag: string, out: string, reads: readonly (string | undefined)[]): Promise<void> {
  const target = out === '-' ? undefined : await realpath(out).catch(() => undefined);
  if (target === undefined) return;
  for (const path of reads) {
    if (path !== undefined && (await realpath(path).catch(() => undefined)) === target) {
      throw new UamError('UAM_ARGUMENT', `--${flag} ${out} must be another file than ${path}, which the run reads`);
    }
  }
}

/** Throws unless a file of this name can be made: its folder is there, and may be written to. */
export async function refuseUnwritable(out: string): Promise<void> {
  if (out === '-') return;
  if ((await kindAt(out)) === 'folder') throw new UamError('UAM_IO', `cannot write ${out}: it is a folder; name a file in it`);
  const folder = dirname(out);
  const kind = await kindAt(folder);
  if (kind === undefined) throw new UamError('UAM_IO', `cannot write ${out}: the folder ${folder} does not exist; make it first`);
  if (kind === 'file') throw new UamError('UAM_IO', `cannot write ${out}: ${folder} is not a folder`);
  await access(folder, constants.W_OK).catch((cause) => {
    throw new UamError('UAM_IO', `cannot write ${out}: no permission to write in ${folder}`, { cause });
  });
}

/** Makes a folder for results, unless it is there. */
export async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true });
  } catch (error) {
    throw new UamError('UAM_IO', `cannot make the folder ${folder}: ${(error as Error).message}`, { cause: error });
  }
}
