// Cells with known classes, from a manifest of images or from a table: for the commands that learn and that measure.
import type { Command } from 'commander';
import { UamError } from '../errors.js';
import type { CellDataset } from '../train/dataset.js';
import { readDataset } from '../train/read_manifest.js';
import { readTable } from '../train/read_table.js';
import type { ExtractionRecipe } from '../train/recipe.js';
import { numberFlag } from './flag_values.js';
import { bar, clock } from './progress.js';
import type { Session } from './session.js';

export interface DatasetFlags {
  manifest?: string;
  table?: string;
  classColumn?: string;
  patientColumn?: string;
  imageColumn?: string;
  mpp?: string;
  cache?: string;
}

export const addDatasetFlags = (command: Command): Command =>
  command
    .option('--manifest <file>', 'a CSV file with a line for each image: its nuclei, and what is known of them (see below)')
    .option('--table <file>', 'in place of --manifest: a CSV file with a line for each cell, its features and its class')
    .option('--class-column <name>', 'the column of --table that holds the class (default: class)')
    .option('--patient-column <name>', 'the column of --table that holds the patient (default: patient)')
    .option('--image-column <name>', 'the column of --table that tells images apart (default: image)')
    .option(
      '--mpp <um>',
      'micrometres per pixel (about 0.25 at 40x, 0.5 at 20x) of images that do not tell it, and have none in the manifest; ' +
        'with --table: of its columns x and y',
    )
    .option('--cache <folder>', 'keep the features of images in this folder, so that the next run need not extract them again');

export const manifestHelp = `
The manifest is a CSV file. Paths in it are relative to the manifest. Its columns, in any order:
  image     the picture (PNG, JPEG, TIFF, SVS)
  mask      its nuclei: a label mask (PNG, TIFF, NPY, NPZ, MAT) or polygons (GeoJSON, HoVer-Net JSON)
  points    either: a CSV file with the columns x, y, class: an expert's dots, in pixels. A dot belongs to the nucleus under it, or
            within 3 pixels of it; a dot on no nucleus teaches nothing, and counts as an error when a model is measured
  classes   or: a CSV file with the columns label, class: the class of nuclei by their number in the mask
  patient   whose tissue it is: a patient is never on both sides of a split. Without it every image is a patient of its own
  split     train, validation or test
  mpp       micrometres per pixel

  image,mask,points,patient,split
  a1.png,a1_labels.png,a1_points.csv,patient A,train
  b1.png,b1_labels.png,b1_points.csv,patient B,validation`;

/** Which of the two was given. */
export function datasetFile({ manifest, table }: DatasetFlags): string {
  const refuse = (message: string): never => {
    throw new UamError('UAM_ARGUMENT', message);
  };
  if (manifest !== undefined && table !== undefined) refuse('--manifest and --table exclude each other');
  return (
    manifest || table || refuse('--manifest is missing; name a CSV file with the columns image, mask and points or classes (or --table)')
  );
}

export interface ReadCellsOptions {
  classes?: readonly string[] | undefined;
  extraction?: ExtractionRecipe | undefined;
  /** What it is called on the progress bar. */
  what: string;
}

/** Reads the cells of a manifest, extracting their features, or those of a table. */
export async function readCells(
  file: string,
  flags: DatasetFlags,
  { classes, extraction, what }: ReadCellsOptions,
  { log, progress, signal }: Session,
): Promise<CellDataset> {
  const mpp = numberFlag('mpp', flags.mpp, 'above 0');
  const options = { signal, ...(classes && { classes }), ...(mpp !== undefined && { mpp }) };
  if (flags.table !== undefined) {
    if (flags.cache !== undefined) throw new UamError('UAM_ARGUMENT', '--cache is for --manifest: a table has its features already');
    const { classColumn, patientColumn, imageColumn } = flags;
    return readTable(file, {
      ...options,
      ...(classColumn && { class: classColumn }),
      ...(patientColumn && { patient: patientColumn }),
      ...(imageColumn && { sample: imageColumn }),
    });
  }
  const other = Object.entries({ classColumn: 'class', patientColumn: 'patient', imageColumn: 'image' }).find(
    ([key]) => flags[key as keyof DatasetFlags] !== undefined,
  );
  if (other) throw new UamError('UAM_ARGUMENT', `--${other[1]}-column is for --table: the columns of a manifest have fixed names`);
  const dataset = await readDataset(file, {
    ...options,
    ...(flags.cache && { cache: flags.cache }),
    ...(extraction && { extraction }),
    onWarning: ({ image, code, message }) => log.warn(message.includes(image) ? message : `${image}: ${message}`, { image, code }),
    onProgress: ({ done, total }) =>
      progress.update((seconds, width) =>
        [bar(done / total), `features of the ${what}: ${done}/${total} images`, clock(seconds)].join('  ').slice(0, Math.max(0, width)),
      ),
  });
  progress.clear();
  return dataset;
}
