// Which kind of model `uam train` makes: of cells alone, or of images; both are read, taught and written alike.
import { UamError } from '../errors.js';
import type { CellDataset } from '../train/dataset.js';
import type { FitOptions } from '../train/fit_options.js';
import type { JointDataset } from '../train/joint_dataset.js';
import { type JointFitReport, JointUAM } from '../train/joint_uam.js';
import { type FitReport, UAM } from '../train/uam.js';
import { readCells } from './dataset_flags.js';
import type { Session } from './session.js';
import { readTiles, tilesPath } from './tile_flags.js';
import { classFlags, fitFlags, jointFitFlags, jointModelFlags, modelFlags, recipeFlags, type TrainFlags, taskFlag } from './train_flags.js';

/** What a run keeps, and whom it tells. */
export type RunOptions = Pick<FitOptions, 'checkpoint' | 'log' | 'device' | 'signal' | 'onProgress'>;

export interface Trainee {
  readonly model: UAM | JointUAM;
  /**
   * @param like a dataset that was read before: classes and recipe are those of it
   */
  read(file: string, what: string, like?: CellDataset): Promise<CellDataset>;
  fit(dataset: CellDataset, validation: CellDataset | number | undefined, run: RunOptions): Promise<FitReport | JointFitReport>;
}

/** Flags that cells alone have no use for, by their names. */
const OF_IMAGES = Object.freeze({
  ...{ fusion: 'fusion', encoder: 'encoder', crop: 'crop', stain: 'stain', uncertainty: 'uncertainty', regions: 'regions' },
  regionUnknown: 'region-unknown',
} as const);

/** Checks the flags that tell what is made and how it learns; nothing is read yet. */
export function traineeFor(flags: TrainFlags, session: Session): Trainee {
  const task = taskFlag(flags);
  if (task === 'cells') return ofCells(flags, session);
  tilesPath(flags);
  const model = JointUAM.create(jointModelFlags(flags, task));
  const [options, extraction, classes] = [jointFitFlags(flags), recipeFlags(flags), classFlags(flags)];
  return {
    model,
    read: (file, what, like) => {
      const known = like as JointDataset | undefined;
      const names = { classes: known?.classes ?? classes, regions: known?.regions, extraction: known?.extraction ?? extraction };
      return readTiles(file, flags, { ...names, cells: task === 'joint', what }, session);
    },
    fit: (dataset, validation, run) =>
      model.fit(dataset as JointDataset, {
        ...{ ...options, ...run },
        ...(validation !== undefined && { validation: validation as JointDataset | number }),
      }),
  };
}

function ofCells(flags: TrainFlags, session: Session): Trainee {
  const strange = Object.entries(OF_IMAGES).find(([key]) => flags[key as keyof typeof OF_IMAGES] !== undefined);
  if (strange) throw new UamError('UAM_ARGUMENT', `--${strange[1]} is for models that see the image: say --task joint, or --task region`);
  const model = UAM.create(modelFlags(flags));
  const [options, extraction, classes] = [fitFlags(flags), recipeFlags(flags), classFlags(flags)];
  return {
    model,
    read: (file, what, like) =>
      readCells(
        file,
        flags,
        { classes: like?.classes ?? classes, extraction: like?.extraction ?? extraction, what: `${what} cells` },
        session,
      ),
    fit: (dataset, validation, run) => model.fit(dataset, { ...options, ...run, ...(validation !== undefined && { validation }) }),
  };
}
