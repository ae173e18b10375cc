// Which files of a plain folder belong together: by folders of kinds, or by what their names end in.
import type { Dirent } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { basename, extname, join } from 'node:path';
import { UamError } from '../errors.js';

/** The kinds of file that a tile has, beside its masks of regions. */
export type PartKind = 'image' | 'mask' | 'points' | 'classes';

export const IMAGE_FILE = /\.(png|jpe?g|tiff?|svs)$/i;

const FILES: Readonly<Record<PartKind | 'region', RegExp>> = Object.freeze({
  image: IMAGE_FILE,
  mask: /\.(png|tiff?|npy|npz|mat|(geo)?json(\.gz)?)$/i,
  points: /\.(csv|tsv)$/i,
  classes: /\.(csv|tsv)$/i,
  region: /\.(png|tiff?|npy|npz)$/i,
});

/** Folders of kinds. */
const FOLDERS = Object.freeze({ mask: 'masks', points: 'points', classes: 'classes' } as const);

/** What follows the name of an image in those of the files beside it. */
const ENDS = Object.freeze({ mask: /^_(auto)?labels$/, points: /^_points$/, classes: /^_classes$/ } as const);
/** A mask of nuclei that stands beside no image: taken for an image, it would be a dark one. */
const LABELS_OF_NONE = /_(auto)?labels$/;
const REGION_END = /^(?:_(\w+?))?_region(?:_\w+)?$/;

/** The name of a file without what says how it is written. */
export function stemOf(file: string): string {
  const name = basename(file).replace(/\.gz$/i, '');
  return name.slice(0, name.length - extname(name).length);
}

/** What is in a folder, sorted, without what is hidden. */
export async function listFolder(folder: string): Promise<{ files: string[]; folders: string[] }> {
  try {
    const entries = (await readdir(folder, { withFileTypes: true })).filter(({ name }) => !name.startsWith('.'));
    const isFolder = async (entry: Dirent): Promise<boolean> =>
      entry.isSymbolicLink()
        ? stat(join(folder, entry.name)).then(
            (found) => found.isDirectory(),
            () => false,
          )
        : entry.isDirectory();
    const folders: string[] = [];
    for (const entry of entries) if (await isFolder(entry)) folders.push(entry.name);
    return {
      files: entries
        .map(({ name }) => name)
        .filter((name) => !folders.includes(name))
        .sort(),
      folders: folders.sort(),
    };
  } catch (error) {
    throw new UamError('UAM_INPUT', `${folder}: the folder cannot be read: ${(error as Error).message}`, { cause: error });
  }
}

/** The files of a tile. */
export class TileParts {
  readonly #files = new Map<string, string[]>();

  constructor(readonly stem: string) {}

  add(kind: string, file: string): void {
    this.#files.set(kind, [...(this.#files.get(kind) ?? []), file]);
  }

  #only(kind: string, what: string): string | undefined {
    const files = this.#files.get(kind) ?? [];
    if (files.length < 2) return files[0];
    throw new UamError('UAM_DATA', `${this.stem}: several files could be its ${what}: ${files.join(', ')}; leave one in the folder`);
  }

  /** @throws UamError `UAM_DATA` where there are several */
  file(kind: PartKind): string | undefined {
    return this.#only(kind, kind);
  }

  /** @throws UamError `UAM_DATA` where there are several */
  region(name: string): string | undefined {
    return this.#only(regionKind(name), `mask of the region ${name}`);
  }
}

const regionKind = (name: string): string => `region:${name}`;

/** The tiles of a folder, and the files that belong to none although they look like it. */
export interface FolderTiles {
  tiles: TileParts[];
  strays: string[];
}

/** Tiles from `images/`, `masks/`, `points/`, `classes/` and `regions/` (of several regions: `regions/NAME/`). */
export async function partsInFolders(folder: string, regions: readonly string[]): Promise<FolderTiles> {
  const { folders } = await listFolder(folder);
  const tiles = new Map<string, TileParts>();
  const strays: string[] = [];
  const take = async (name: string, files: RegExp, kind: string): Promise<void> => {
    for (const file of (await listFolder(join(folder, name))).files.filter((file) => files.test(file))) {
      const stem = stemOf(file);
      if (kind === 'image' && !tiles.has(stem)) tiles.set(stem, new TileParts(stem));
      const path = join(folder, name, file);
      if (tiles.has(stem)) tiles.get(stem)?.add(kind, path);
      else strays.push(path);
    }
  };
  await take('images', FILES.image, 'image');
  for (const kind of ['mask', 'points', 'classes'] as const) {
    if (folders.includes(FOLDERS[kind])) await take(FOLDERS[kind], FILES[kind], kind);
  }
  const named = folders.includes('regions') ? (await listFolder(join(folder, 'regions'))).folders : undefined;
  for (const region of regions) {
    if (named?.includes(region)) await take(join('regions', region), FILES.region, regionKind(region));
    else if (named && regions.length === 1) await take('regions', FILES.region, regionKind(region));
  }
  return { tiles: [...tiles.values()], strays };
}

/** The image that a file stands beside, and what follows the image's name in that of the file. */
function ownerOf(stem: string, images: ReadonlySet<string>): [owner: string, end: string] | undefined {
  for (let at = stem.lastIndexOf('_'); at > 0; at = stem.lastIndexOf('_', at - 1)) {
    if (images.has(stem.slice(0, at))) return [stem.slice(0, at), stem.slice(at)];
  }
  return undefined;
}

/** What a file is to its image; undefined where its name does not say. */
function kindOf(end: string, regions: readonly string[]): { kind: string; files: RegExp } | undefined {
  for (const kind of ['mask', 'points', 'classes'] as const) if (ENDS[kind].test(end)) return { kind, files: FILES[kind] };
  const region = REGION_END.exec(end);
  if (!region) return undefined;
  const name = region[1] ?? (regions.length === 1 ? regions[0] : undefined);
  return { kind: regionKind(name ?? ''), files: FILES.region };
}

/** Tiles from `X.png`, `X_labels.png` (or `X_autolabels.png`), `X_points.csv`, `X_classes.csv`, `X_NAME_region.png` beside each other. */
export async function partsBeside(folder: string, regions: readonly string[]): Promise<FolderTiles> {
  const { files } = await listFolder(folder);
  const pictures = new Set(files.filter((file) => FILES.image.test(file)).map(stemOf));
  const tiles = new Map<string, TileParts>();
  const strays: string[] = [];
  const tileOf = (stem: string): TileParts => {
    const tile = tiles.get(stem) ?? new TileParts(stem);
    tiles.set(stem, tile);
    return tile;
  };
  for (const file of files) {
    const stem = stemOf(file);
    const [owner = '', end = ''] = ownerOf(stem, pictures) ?? [];
    const part = kindOf(end, regions);
    if (part?.files.test(file)) tileOf(owner).add(part.kind, join(folder, file));
    else if (LABELS_OF_NONE.test(stem)) strays.push(join(folder, file));
    else if (FILES.image.test(file)) tileOf(stem).add('image', join(folder, file));
  }
  return { tiles: [...tiles.values()], strays };
}
