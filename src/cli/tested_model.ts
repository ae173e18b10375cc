// A model that is tested, of either kind: how its data are read, what it says of them, what is to be told of it.

import { UamError } from '../errors.js';
import { modelKind } from '../heads/model_kind.js';
import type { LearningCurve } from '../report/evaluation_report.js';
import type { CellDataset } from '../train/dataset.js';
import type { OnDevice } from '../train/devices.js';
import type { JointDataset } from '../train/joint_dataset.js';
import { JointUAM } from '../train/joint_uam.js';
import { learningCurves } from '../train/learning_curves.js';
import { DEFAULT_RECIPE, type ExtractionRecipe } from '../train/recipe.js';
import type { RegionCountOptions } from '../train/region_counts.js';
import type { ScoredImage } from '../train/region_scores.js';
import type { SeenSample } from '../train/seen.js';
import { testJointModel } from '../train/test_joint_model.js';
import { testModel } from '../train/test_model.js';
import type { TestedPoints } from '../train/tested_points.js';
import { UAM } from '../train/uam.js';
import { type DatasetFlags, readCells } from './dataset_flags.js';
import { bar, clock } from './progress.js';
import type { Session } from './session.js';
import { grouped } from './text_table.js';
import { readTiles, type TileFlags } from './tile_flags.js';

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

/** How regions are counted, beside the flags of the dataset. */
export type RegionCounting = Pick<RegionCountOptions, 'threshold' | 'tolerance'>;

/** The model of a file, for data that flags tell of. */
export async function loadTested(
  path: string,
  flags: TileFlags,
  { device, ...counting }: RegionCounting & OnDevice,
  session: Session,
): Promise<TestedModel> {
  if ((await modelKind(path)) === 'cells') return testedCells(await UAM.load(path, { device }), flags, session);
  if (flags.table !== undefined) {
    throw new UamError(
      'UAM_ARGUMENT',
      `${path} is a model of images: it cannot be tested on a table of cells; give --manifest in place of --table`,
    );
  }
  return testedTiles(await JointUAM.load(path, { device }), flags, counting, session);
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

function testedTiles(model: JointUAM, flags: TileFlags, counting: RegionCounting, session: Session): TestedModel {
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
    read: (file, what) => tilesFor(model, file, flags, tilesOf(what), session),
    seenIn: (dataset) => model.seenIn(dataset as JointDataset, signal),
    test: (dataset, { what, seenAllowed }) =>
      tell(session, tilesOf(what), (onProgress) =>
        testJointModel(model, dataset as JointDataset, { ...counting, signal, onProgress, seenAllowed }),
      ),
  };
}

/** Images, cells and regions as a joint model reads them: at its pixel size, cells only where it tells any. */
function tilesFor({ classes, regions, extraction, mpp }: JointUAM, file: string, flags: TileFlags, what: string, session: Session) {
  const cells = classes.length > 0;
  const recipe = { ...(extraction ?? DEFAULT_RECIPE), ...(mpp !== undefined && { mpp }) };
  return readTiles(file, flags, { ...(cells && { classes }), regions, extraction: recipe, cells, what }, session);
}

/** `tested cells` of a model of images are tested tiles. */
const tilesOf = (what: string): string => what.replace('cells', 'tiles');

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
