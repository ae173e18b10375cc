// The steps of the demo, each a function: draw, learn, test, answer.
import type { ResultFolder } from '../files/result_folder.js';
import { writeMask } from '../image/write_mask.js';
import { type Analysis, analyseImage } from '../pipeline.js';
import type { EvaluationReport } from '../report/evaluation_report.js';
import { writeEvaluation } from '../report/page.js';
import { writeLearningPlots } from '../report/plots.js';
import type { CellDataset } from '../train/dataset.js';
import type { DemoTile } from '../train/demo_tile.js';
import { evaluate } from '../train/evaluate.js';
import { learningCurves } from '../train/learning_curves.js';
import { testModel } from '../train/test_model.js';
import { UAM } from '../train/uam.js';
import { type OwnPicture, type PictureSource, readPicture } from './demo_picture.js';
import { DEMO_MPP, type DemoPlan, type PlannedTile, plannedTiles, SHOWN } from './demo_plan.js';
import { DemoProgress } from './demo_progress.js';
import { type DemoTiles, makeTiles } from './demo_tiles.js';
import { CAUTION, type DemoSummary } from './demo_words.js';
import type { Session } from './session.js';

export interface DemoTask {
  plan: DemoPlan;
  seed: number;
  /** The user's picture, where there is one. */
  source: PictureSource | undefined;
  folder: ResultFolder;
  session: Session;
}

/** Everything that a step needs. */
interface Steps extends DemoTask {
  progress: DemoProgress;
}

/** Fills the folder. */
export async function makeDemo(task: DemoTask): Promise<DemoSummary> {
  const steps: Steps = { ...task, progress: new DemoProgress(task.session) };
  const own = task.source && (await readPicture(task.source, task.session));
  if (own) steps.progress.done(`${own.path} is read`);
  const mpp = own ? drawnAt(own) : DEMO_MPP;
  const planned = plannedTiles(task.plan, task.seed, mpp, own === undefined);
  const tiles = await draw(planned, mpp, steps);
  const model = await learn(tiles.learning, steps);
  const evaluation = await test(model, tiles.unseen, steps);
  const analysis = await answer(model, own ?? { path: `${SHOWN}.png`, ...(tiles.shown as DemoTile) }, steps);
  if (own?.segmented) await writeMask(await task.folder.place('cells_labels.png'), own.mask);
  return summaryOf(steps, tiles, evaluation, analysis, own);
}

/** Tiles are drawn at the picture's own scale, as far as the drawing goes. */
const drawnAt = ({ image: { mpp } }: OwnPicture): number => Math.min(2, Math.max(0.2, (mpp[0] + mpp[1]) / 2));

async function draw(planned: readonly PlannedTile[], mpp: number, { folder, session, progress }: Steps): Promise<DemoTiles> {
  let nuclei = 0;
  const onTile = (done: number, more: number) => {
    nuclei += more;
    progress.update(`drawing tiles, extracting features: ${nuclei.toLocaleString('en-US')} nuclei`, done, planned.length);
  };
  const tiles = await makeTiles(planned, folder, { mpp, front: SHOWN, signal: session.signal, onTile });
  const count = tiles.learning.features.length;
  progress.done(`${planned.length} tiles drawn, ${count} features of ${nuclei.toLocaleString('en-US')} nuclei extracted`);
  return tiles;
}

async function learn(dataset: CellDataset, { plan, seed, folder, session, progress }: Steps): Promise<UAM> {
  const model = UAM.create({ ...plan.model, seed });
  const fitted = await model.fit(dataset, { ...plan.training, signal: session.signal, onProgress: progress.training });
  await model.save(await folder.place('model.safetensors'));
  progress.done(`a UAM trained in ${fitted.history.length} epochs`);
  return model;
}

async function test(model: UAM, unseen: CellDataset, { plan, seed, folder, session, progress }: Steps): Promise<EvaluationReport> {
  const { signal } = session;
  const learning = learningCurves(model.history);
  const evaluation = await evaluate(await testModel(model, unseen, { signal }), {
    title: 'uam demo: nuclei of drawn tiles that the model has not seen',
    temperature: model.temperature,
    learning,
    notes: [
      CAUTION,
      `Seed ${seed}; ${plan.tiles.train} tiles for training, ${plan.tiles.validation} for validation, ${plan.tiles.test} unseen; each tile is of another patient.`,
      'The nuclei are given by their exact masks: finding them is not part of the test.',
    ],
    ...{ resamples: plan.resamples, signal },
  });
  await writeEvaluation(await folder.place('evaluation.html'), evaluation);
  await writeEvaluation(await folder.place('metrics.json'), evaluation);
  await writeLearningPlots(await folder.place('learning_curves.svg'), learning);
  progress.done('unseen tiles classified and scored');
  return evaluation;
}

type Picture = Pick<OwnPicture, 'path' | 'mask'> & Pick<DemoTile, 'image'>;

async function answer(model: UAM, { path, image, mask }: Picture, { folder, session, progress }: Steps): Promise<Analysis> {
  const [out, overlay] = [await folder.place('cells.geojson'), await folder.place('overlay.png')];
  const measurements = ['morphology_Area', 'morphology_Circularity', 'haematoxylin_firstorder_Mean'];
  const analysis = await analyseImage({ image, mask, model }, { out, overlay, measurements, signal: session.signal });
  progress.done(`${path} answered for: ${analysis.cells.count.toLocaleString('en-US')} nuclei`);
  return analysis;
}

function summaryOf(
  { plan, seed, source, folder }: Steps,
  { learning, unseen }: DemoTiles,
  { scores, intervals }: EvaluationReport,
  { predictions }: Analysis,
  own: OwnPicture | undefined,
): DemoSummary {
  const { low, high } = intervals['accuracy'] as { low: number; high: number };
  const classes = predictions.classNames.map((name, c) => [name, predictions.classes.filter((called) => called === c).length] as const);
  return {
    seed,
    learned: { tiles: plan.tiles.train + plan.tiles.validation, nuclei: learning.cells },
    unseen: { tiles: plan.tiles.test, nuclei: unseen.cells },
    accuracy: { value: scores.accuracy, low, high },
    scores,
    picture: {
      path: own?.path ?? `${SHOWN}.png`,
      ...{ mask: source?.mask, mpp: source?.mpp },
      own: own !== undefined,
      nuclei: predictions.length,
      classes: Object.fromEntries(classes),
    },
    segmented: own?.segmented ?? false,
    files: folder.files,
  };
}
