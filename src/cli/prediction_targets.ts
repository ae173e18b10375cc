// Where the calls of each image go, from `--out`, `--format` and `--overlay` of `uam predict`.
import { basename, join } from 'node:path';
import { UamError } from '../errors.js';
import { callsFormat } from '../report/calls.js';
import { items } from './flag_values.js';
import type { InputPair, Inputs } from './inputs.js';
import { kindAt } from './outputs.js';

export interface Targets {
  /** Folders to be made. */
  folders: string[];
  /** Tables that take the cells of all images, one image after the other. */
  tables: string[];
  /** Files of one image. */
  files(pair: InputPair): string[];
  /** The picture of one image. */
  overlay(pair: InputPair): string | undefined;
}

export interface TargetFlags {
  out?: string[];
  format?: string;
  overlay?: string;
}

const ENDINGS = Object.freeze({ geojson: '.geojson', 'geojson.gz': '.geojson.gz', csv: '.csv', 'csv.gz': '.csv.gz', parquet: '.parquet' });

const refuse = (message: string): never => {
  throw new UamError('UAM_ARGUMENT', message);
};

/** A folder: one that is there, or a name that is no file's. */
const isFolder = async (path: string): Promise<boolean> =>
  path !== '-' && (/[/\\]$/.test(path) || (await kindAt(path)) === 'folder' || !basename(path).slice(1).includes('.'));

/** The image's name without its ending: `slide.ome.tif` gives `slide`. */
const stemOf = ({ image }: InputPair): string => basename(image).replace(/(\.ome)?\.[^.]+$/i, '');

/** @throws UamError `UAM_ARGUMENT` for names that do not say what they are, or that two images would share */
export async function predictionTargets({ out = [], format, overlay }: TargetFlags, { pairs, columns }: Inputs): Promise<Targets> {
  if (out.length === 0 && overlay === undefined) {
    refuse(
      '--out is missing; name a file that ends in .geojson (for QuPath), .csv or .parquet, or a folder; it may be given several times',
    );
  }
  for (const path of [...out, overlay]) if (path === '') refuse(`--${path === overlay ? 'overlay' : 'out'} must name a file or a folder`);
  const several = columns.length > 0;
  const folders: string[] = [];
  const files: string[] = [];
  for (const path of out) ((await isFolder(path)) ? folders : files).push(path);
  for (const path of files) {
    if (callsFormat(path) === 'geojson' && several) {
      refuse(`--out ${path}: a GeoJSON file holds the cells of one image; with several images name a folder, or a table (.csv, .parquet)`);
    }
  }
  const endings = endingsOf(format, folders);
  const pictures = overlay !== undefined && (await isFolder(overlay)) ? overlay : undefined;
  if (overlay !== undefined && pictures === undefined) {
    if (several) refuse(`--overlay ${overlay} must be a folder: there are several images`);
    if (!/\.png$/i.test(overlay)) refuse(`--overlay must name a file that ends in .png, or a folder, received ${overlay}`);
  }
  refuseShared(pairs, folders.length > 0 || pictures !== undefined);
  return {
    folders: [...folders, ...(pictures === undefined ? [] : [pictures])],
    tables: several ? files : [],
    files: (pair) => [
      ...folders.flatMap((folder) => endings.map((ending) => join(folder, stemOf(pair) + ending))),
      ...(several ? [] : files),
    ],
    overlay: (pair) => (pictures === undefined ? overlay : join(pictures, `${stemOf(pair)}_overlay.png`)),
  };
}

function endingsOf(format: string | undefined, folders: readonly string[]): string[] {
  if (format !== undefined && folders.length === 0) refuse('--format is for folders: the name of a file tells what goes into it');
  const names = items(format ?? 'geojson');
  if (names.length === 0) refuse('--format must name at least one format');
  return names.map((name) => {
    if (!Object.hasOwn(ENDINGS, name)) refuse(`--format: there is no format '${name}'; the formats are ${Object.keys(ENDINGS).join(', ')}`);
    return ENDINGS[name as keyof typeof ENDINGS];
  });
}

/** Two images of one name would write to one file of a folder. */
function refuseShared(pairs: readonly InputPair[], inFolder: boolean): void {
  const byStem = new Map<string, string>();
  for (const pair of inFolder ? pairs : []) {
    const other = byStem.get(stemOf(pair));
    if (other !== undefined) {
      refuse(
        `${other} and ${pair.image} would be written to the same file of the folder; give them other names, or write one table (--out calls.csv)`,
      );
    }
    byStem.set(stemOf(pair), pair.image);
  }
}
