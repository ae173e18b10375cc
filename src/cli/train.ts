// `uam train`: images with known nuclei in, a model out.
import { rm, stat } from 'node:fs/promises';
import { UamError } from '../errors.js';
import { writeLearningPlots } from '../report/plots.js';
import type { CellDataset } from '../train/dataset.js';
import { learningCurves } from '../train/learning_curves.js';
import type { FitReport } from '../train/uam.js';
import type { CliCommand } from './command.js';
import { datasetFile } from './dataset_flags.js';
import { deviceFlag } from './device_flag.js';
import { EXIT } from './exit_codes.js';
import { numberFlag } from './flag_values.js';
import { kindAt, refuseOverwriting, refuseUnwritable } from './outputs.js';
import type { Session } from './session.js';
import { addTrainFlags, type TrainFlags, validationFlag } from './train_flags.js';
import { type Trainee, traineeFor } from './trainee.js';
import { type TrainingSummary, TrainingView, trainingSummary, trainingTable } from './training_view.js';

export const trainCommand: CliCommand<TrainFlags> = {
  flags: addTrainFlags,

  async run(flags, { session, engine }) {
    const start = performance.now();
    const files = checkFlags(flags);
    const device = deviceFlag(flags, session);
    const trainee = traineeFor(flags, session);
    const { model } = trainee;
    const validation = validationFlag(flags);
    await checkFiles(files, flags);
    const threads = numberFlag('threads', flags.threads, 'whole');
    if (threads !== undefined) (await engine()).setThreads(threads);

    const dataset = await trainee.read(files.data, 'training', undefined);
    const held = typeof validation === 'string' ? await trainee.read(validation, 'validation', dataset) : validation;
    const report = await fit(trainee, dataset, held, files, { resume: flags.resume ?? false, device }, session);
    await model.save(files.out);
    if (files.curves !== undefined) await writeLearningPlots(files.curves, learningCurves(report.history));
    if (flags.checkpoint === undefined) await rm(files.checkpoint, { force: true });

    const { size } = await stat(files.out);
    const seconds = Math.round(performance.now() - start) / 1000;
    const summary: TrainingSummary = { out: files.out, bytes: size, seconds, classes: model.classes, report };
    if (flags.json) await session.print(`${JSON.stringify(trainingSummary(summary))}\n`);
    else if (!flags.quiet) await session.print(trainingTable(summary));
    return EXIT.ok;
  },
};

interface Files {
  data: string;
  out: string;
  checkpoint: string;
  log: string | undefined;
  curves: string | undefined;
}

function checkFlags(flags: TrainFlags): Files {
  const data = datasetFile(flags);
  const { out, checkpoint, log, curves } = flags;
  const refuse = (message: string): never => {
    throw new UamError('UAM_ARGUMENT', message);
  };
  if (!out) return refuse('--out is missing; name the model to write, such as model.safetensors');
  if (!/\.safetensors$/i.test(out)) refuse(`--out must name a file that ends in .safetensors, received ${out}`);
  if (curves !== undefined && !/\.svg$/i.test(curves)) refuse(`--curves must name a file that ends in .svg, received ${curves}`);
  for (const [flag, value] of Object.entries({ checkpoint, log })) if (value === '') refuse(`--${flag} must name a file`);
  if (flags.resume && flags.restart) refuse('--resume and --restart exclude each other');
  return { data, out, checkpoint: checkpoint ?? `${out}.checkpoint`, log, curves };
}

/** Sees that everything can be written, and that no interrupted run is lost, before anything is computed. */
async function checkFiles(files: Files, flags: TrainFlags): Promise<void> {
  const { data, out, checkpoint, log, curves } = files;
  const reads = [data, flags.validation];
  for (const [flag, path] of Object.entries({ out, checkpoint, log, curves })) {
    if (path === undefined) continue;
    await refuseOverwriting(flag, path, reads);
    await refuseUnwritable(path);
  }
  if ((await kindAt(checkpoint)) === undefined || flags.resume) return;
  if (flags.restart) return rm(checkpoint);
  throw new UamError(
    'UAM_ARGUMENT',
    `${checkpoint} is of a run that was interrupted, or kept by --checkpoint; say --resume to go on with it, or --restart to begin anew`,
  );
}

/** Trains, and tells how far it is; a signal then says how to go on. */
async function fit(
  trainee: Trainee,
  dataset: CellDataset,
  validation: CellDataset | number | undefined,
  files: Files,
  { resume, device }: { resume: boolean; device: string | undefined },
  session: Session,
): Promise<FitReport> {
  const { log, progress, signal } = session;
  const counts = dataset.counts().map((count, c) => `${dataset.classes[c]} ${count}`);
  const labels = counts.length > 0 ? `; labels: ${counts.join(', ')}` : '';
  log.info(`${dataset.samples.length} tiles of ${dataset.patients.length} patients, ${dataset.cells} cells${labels}`);
  const scale = dataset.extraction?.mpp;
  if (typeof scale === 'number') log.info(`features are measured at ${scale} um per pixel`);
  if (resume && (await kindAt(files.checkpoint)) === 'file') log.info(`going on from ${files.checkpoint}`);
  const view = new TrainingView(session);
  session.unfinished.add(files.out).add(files.checkpoint);
  session.patience = 60_000; // a step of a large model takes seconds, and it is to be kept
  try {
    return await trainee.fit(dataset, validation, {
      ...{ checkpoint: files.checkpoint, device, signal },
      ...(files.log !== undefined && { log: files.log }),
      onProgress: (state) => {
        if (state.phase === 'train') {
          session.farewell = `the run so far is kept in ${files.checkpoint}; the same command with --resume goes on with it`;
        }
        view.show(state);
      },
    });
  } finally {
    progress.clear();
  }
}
