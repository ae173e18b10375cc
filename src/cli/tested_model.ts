// A model that is tested, of either kind: how its data are read, what it says of them, what is to be told of it.

import { UamError } from '../errors.js';
import { modelKind } from '../heads/model_kind.js';
import type { LearningCurve } from '../report/evaluation_report.js';
import type { CellDataset } from '../train/dataset.js';
import type { JointDataset } from '../train/joint_dataset.js';
import { JointUAM } from '../train/joint_uam.js';
import { learningCurves } from '../train/learning_curves.js';
import { openJointDataset } from '../train/open_joint_dataset.js';
import { DEFAULT_RECIPE, type ExtractionRecipe } from '../train/recipe.js';
import type { RegionCountOptions } from '../train/region_counts.js';
import type { ScoredImage } from '../train/region_scores.js';
import type { SeenSample } from '../train/seen.js';
import { testJointModel } from '../train/test_joint_model.js';
import { testModel } from '../train/test_model.js';
import type { TestedPoints } from '../train/tested_points.js';
import { UAM } from '../train/uam.js';
import { type DatasetFlags, readCells } from './dataset_flags.js';
import { numberFlag } from './flag_values.js';
import { bar, clock } from './progress.js';
import type { Session } from './session.js';
import { grouped } from './text_table.js';

/** What a model says of tested cells and tiles, beside what is true of them. */
export interface Tested {
  points: TestedPoints | undefined;
  /** Counts of each image with a region mask. */
  regions: ScoredImage[];
}

export interface TestedModel {
  readonly temperature: number;
  readonly tellsCells: boolean;
  /** Names of the regions that it tells; none of a model of cells alone. */
  readonly regions: readonly string[];
  readonly learning: LearningCurve[];
  /** What it is, for the report. */
  readonly notes: readonly string[];
  /** @param what its cells are called on the progress bar */
  read(file: string, what: string): Promise<CellDataset>;
  seenIn(dataset: CellDataset, signal: AbortSignal): Promise<SeenSample[] | undefined>;
  /** @param options `seenAllowed`: for a temperature that is fitted anew */
  test(dataset: CellDataset, options: { what: string; seenAllowed?: boolean }): Promise<Tested>;
}

export interface TestedFlags extends DatasetFlags {
  regionUnknown?: string;
}

/** How regions are counted, beside the flags of the dataset. */
export type RegionCounting = Pick<RegionCountOptions, 'threshold' | 'tolerance'>;

/** The model of a file, for data that flags tell of. */
export async function loadTested(path: string, flags: TestedFlags, counting: RegionCounting, session: Session): Promise<TestedModel> {
  if ((await modelKind(path)) === 'cells') return testedCells(await UAM.load(path), flags, session);
  if (flags.table !== undefined) {
    throw new UamError(
      'UAM_ARGUMENT',
      `${path} is a model of images: it cannot be tested on a table of cells; give --manifest in place of --table`,
    );
  }
  return testedTiles(await JointUAM.load(path), flags, counting, session);
}

/** Images are measured as in training; where that is not known, at their own pixel sizes. */
const recipeOf = ({ extraction }: UAM): ExtractionRecipe => extraction ?? { ...DEFAULT_RECIPE, mpp: 'own' };

function testedCells(model: UAM, flags: DatasetFlags, session: Session): TestedModel {
  const { signal } = session;
  const { backbone, tokens } = model.config ?? {};
  return {
    ...{ temperature: model.temperature, tellsCells: true, regions: [] },
    learning: learningCurves(model.history),
    notes: [
      `model: ${backbone?.architecture}, width ${backbone?.width}, ${backbone?.depth} layers, ${tokens?.kind} tokens, ${model.features.length} features`,
    ],
    read: (file, what) => readCells(file, flags, { classes: model.classes, extraction: recipeOf(model), what }, session),
    seenIn: (dataset) => model.seenIn(dataset, signal),
    async test(dataset, { what, seenAllowed }) {
      const work = (onProgress: OnProgress) => testModel(model, dataset, { signal, onProgress, seenAllowed });
      return { points: await tell(session, `classes of the ${what}`, work), regions: [] };
    },
  };
}

function testedTiles(model: JointUAM, flags: TestedFlags, counting: RegionCounting, session: Session): TestedModel {
  const { signal } = session;
  const { cells, fusion, image } = model.config ?? {};
  const encoder = image && 'builtIn' in image ? `built-in encoder, channels ${image.builtIn.channels.join('/')}` : 'encoder from outside';
  const backbone = cells?.backbone;
  return {
    ...{ temperature: model.temperature, tellsCells: model.classes.length > 0, regions: model.regions },
    learning: learningCurves(model.history),
    notes: [
      backbone
        ? `model: cells and regions, fusion ${fusion}; ${backbone.architecture}, width ${backbone.width}, ${backbone.depth} layers, ${model.features.length} features; ${encoder}`
        : `model: regions alone; ${encoder}`,
    ],
    read: (file, what) => readTiles(file, model, flags, what, session),
    seenIn: (dataset) => model.seenIn(dataset as JointDataset, signal),
    test: (dataset, { what, seenAllowed }) =>
      tell(session, what === 'validation cells' ? 'validation tiles' : 'tested tiles', (onProgress) =>
        testJointModel(model, dataset as JointDataset, { ...counting, signal, onProgress, seenAllowed }),
      ),
  };
}

/** Images, cells and regions as a joint model reads them: at its pixel size, cells only where it tells any. */
function readTiles(file: string, model: JointUAM, flags: TestedFlags, what: string, session: Session): Promise<JointDataset> {
  const { log, progress, signal } = session;
  const mpp = numberFlag('mpp', flags.mpp, 'above 0');
  const unknown = numberFlag('region-unknown', flags.regionUnknown, 'whole');
  const cells = model.classes.length > 0;
  const recipe = model.extraction ?? DEFAULT_RECIPE;
  return openJointDataset(file, {
    ...{ signal, cells, regions: model.regions, extraction: { ...recipe, ...(model.mpp !== undefined && { mpp: model.mpp }) } },
    ...(cells && { classes: model.classes }),
    ...(mpp !== undefined && { mpp }),
    ...(unknown !== undefined && { regionUnknown: unknown }),
    ...(flags.cache && { cache: flags.cache }),
    onWarning: ({ image, code, message }) => log.warn(message.includes(image) ? message : `${image}: ${message}`, { image, code }),
    onProgress: ({ done, total }) =>
      progress.update((seconds, width) =>
        [bar(done / total), `${cells ? `features of the ${what}` : 'tiles'}: ${done}/${total} images`, clock(seconds)]
          .join('  ')
          .slice(0, Math.max(0, width)),
      ),
  }).finally(() => progress.clear());
}

type OnProgress = (state: { done: number; total: number }) => void;

async function tell<T>({ progress }: Session, what: string, work: (onProgress: OnProgress) => Promise<T>): Promise<T> {
  const result = await work(({ done, total }) =>
    progress.update((seconds, width) =>
      [bar(done / Math.max(1, total)), `${what}: ${grouped(done)}/${grouped(total)}`, clock(seconds)]
        .join('  ')
        .slice(0, Math.max(0, width)),
    ),
  );
  progress.clear();
  return result;
}
