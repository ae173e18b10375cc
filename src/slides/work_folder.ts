// The folder of a run in progress: whose it is, and what in it is done.
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, readdir, readFile, rm, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { UamError } from '../errors.js';
import { unwritable } from '../files/output_file.js';
import { writeWhole } from '../files/write_whole.js';
import { isWhole } from './work_files.js';

/** A file that a run reads, known by its content. */
export interface InputMark {
  name: string;
  bytes: number;
  sha256: string;
}

/** What makes two runs one: the same inputs, cut and measured alike. */
export interface RunMark {
  format: number;
  version: string;
  image: InputMark;
  model: InputMark;
  cells: InputMark | null;
  settings: Record<string, unknown>;
}

const MARK = 'run.mark';

/** Length and SHA-256 of a whole file, read once from end to end. */
export async function markOf(path: string, signal?: AbortSignal): Promise<InputMark> {
  const hash = createHash('sha256');
  let bytes = 0;
  try {
    for await (const part of createReadStream(path, { highWaterMark: 1 << 20, ...(signal && { signal }) })) {
      hash.update(part as Buffer);
      bytes += (part as Buffer).length;
    }
  } catch (cause) {
    if (signal?.aborted) throw new UamError('UAM_ABORTED', `reading ${path} was ended by its signal`, { cause });
    throw new UamError('UAM_INPUT', `${path} cannot be read: ${(cause as Error).message}`, { cause });
  }
  return { name: basename(path), bytes, sha256: hash.digest('hex') };
}

export interface WorkFolderOptions {
  /** Go on with what is there. */
  resume: boolean;
  /** Remove what is there. */
  restart: boolean;
}

/**
 * Makes the folder, or takes it up again.
 *
 * @returns whether there was one to go on with
 * @throws UamError `UAM_ARGUMENT` where the folder is there and nobody said what to do with it, or is another run's; `UAM_IO`
 */
export async function takeWorkFolder(folder: string, mark: RunMark, { resume, restart }: WorkFolderOptions): Promise<boolean> {
  try {
    const standing = await whatStands(folder);
    if (standing === 'foreign') {
      throw new UamError(
        'UAM_ARGUMENT',
        `${folder} is in the way: the work in progress would lie there, and it is something else; move it`,
      );
    }
    if (standing === 'work' && !restart) {
      if (!resume) {
        throw new UamError(
          'UAM_ARGUMENT',
          `${folder} is of a run that was interrupted; go on with it (--resume), or begin anew (--restart), which removes it`,
        );
      }
      await refuseOther(folder, mark);
      return true;
    }
    await rm(folder, { recursive: true, force: true });
    await mkdir(folder);
    await writeWhole(join(folder, MARK), [Buffer.from(`${JSON.stringify(mark, null, 2)}\n`)]);
    return false;
  } catch (error) {
    throw await unwritable(folder, error);
  }
}

/** What is there under the name; a folder that was made and not yet marked holds nothing to go on with. */
async function whatStands(folder: string): Promise<'nothing' | 'unmarked' | 'work' | 'foreign'> {
  const kind = await stat(folder).catch(() => undefined);
  if (!kind) return 'nothing';
  if (!kind.isDirectory()) return 'foreign';
  const names = await readdir(folder);
  if (names.includes(MARK)) return 'work';
  return names.every((name) => name.startsWith(`.${MARK}`)) ? 'unmarked' : 'foreign';
}

async function refuseOther(folder: string, mark: RunMark): Promise<void> {
  const text = await readFile(join(folder, MARK), 'utf8').catch(() => '');
  const found = parsed(text);
  const expected = JSON.parse(JSON.stringify(mark)) as Record<string, unknown>;
  const differs = Object.keys(expected).filter((key) => JSON.stringify(found[key]) !== JSON.stringify(expected[key]));
  if (differs.length === 0) return;
  const what = differs.map((key) => (key === 'settings' ? `settings (${settingsThatDiffer(found, expected)})` : key)).join(', ');
  throw new UamError(
    'UAM_ARGUMENT',
    `${folder} is of another run, with other ${what}: go on with what it began with, or begin anew (--restart), which removes it`,
  );
}

function settingsThatDiffer(found: Record<string, unknown>, expected: Record<string, unknown>): string {
  const [a, b] = [found['settings'], expected['settings']] as Record<string, unknown>[];
  return Object.keys(b ?? {})
    .filter((key) => JSON.stringify(a?.[key]) !== JSON.stringify(b?.[key]))
    .join(', ');
}

function parsed(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

/** Files that are no records, and are synced before they get their names. */
const SYNCED = /\.(tif|raw|mark|polygons)$/;

/** The files of the folder by name, but for what a crash of the machine has cut off. */
export async function wholeFiles(folder: string): Promise<Set<string>> {
  const whole = new Set<string>();
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (entry.isFile() && (SYNCED.test(entry.name) || (await isWhole(join(folder, entry.name))))) whole.add(entry.name);
  }
  return whole;
}
