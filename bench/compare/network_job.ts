// A job of a network of this package: the training loop of `UAM.fit`, on this thread, over cells that are packed once for all jobs.
import { CellClassifier, classifierParameterCount } from '../../src/heads/cell_classifier.js';
import { labelledItems } from '../../src/train/epoch_plan.js';
import { runFit } from '../../src/train/fit_loop.js';
import { fitSettings } from '../../src/train/fit_options.js';
import { Pace } from '../../src/train/pace.js';
import { runModel } from '../../src/train/run_model.js';
import { matchedConfig, type Network, shapeOf } from './contestants.js';
import type { FoldData } from './fold_data.js';
import { encodeNumbers, type Result } from './store.js';
import type { Study } from './studies.js';
import { networkTrial } from './trials.js';

/** Tokens worked on at once where nothing is learned. */
const TOKENS = 8192;

/** Logits of the points of a part; NaN for those on no nucleus. */
async function logitsOf(model: CellClassifier, data: FoldData, pace: Pace): Promise<Float32Array> {
  const { packed, rows, classes } = data;
  const { logits } = await runModel(model, packed.test, { tokenBudget: TOKENS, pace, items: labelledItems(packed.test) });
  const out = new Float32Array(rows.test.length * classes.length).fill(Number.NaN);
  rows.test.forEach((row, i) => {
    if (row >= 0) out.set(logits.subarray(row * classes.length, (row + 1) * classes.length), i * classes.length);
  });
  return out;
}

export async function networkJob(
  study: Study,
  { backbone, tokens = study.tokens }: Network,
  data: FoldData,
  { trial, seed }: { trial: number; seed: number },
): Promise<Omit<Result, 'setting'>> {
  const { rate, weightDecay, dropout, dropPath, noise, hide, labelSmoothing } = networkTrial(trial, study.standard);
  const { features, classes, packed } = data;
  const config = matchedConfig({ backbone: { ...backbone, dropout, dropPath }, tokens }, study.size, {
    ...{ features, classes: classes.length, tokens: study.tokens },
  });
  const { learningRate, augment, ...fit } = study.fit;
  const options = { ...fit, learningRate: rate * learningRate, weightDecay, labelSmoothing, seed };
  const disturb = augment === false ? augment : { ...augment, noise, hide };
  const settings = fitSettings({ ...options, augment: disturb }, config.backbone.width, tokens.kind === 'cell', seed);
  const task = { config, settings, training: packed.training, validation: packed.validation, fingerprint: '', device: 'cpu' };
  const started = process.cpuUsage();
  const outcome = await runFit({ ...task, checkpoint: undefined, checkpointEvery: undefined, resume: false, log: undefined });
  const { user, system } = process.cpuUsage(started);
  const seconds = (user + system) / 1e6;
  const model = new CellClassifier(config, 0);
  try {
    model.load(outcome.weights);
    const { history, bestEpoch, temperature } = outcome;
    return {
      ...{ macroF1: history[bestEpoch]?.macroF1 ?? 0, temperature, seconds, epochs: history.length, features },
      ...{ parameters: classifierParameterCount(config).total, shape: shapeOf(config) },
      trainingPoints: packed.training.labels.length,
      logits: encodeNumbers(await logitsOf(model, data, new Pace('test'))),
    };
  } finally {
    model.dispose();
  }
}
