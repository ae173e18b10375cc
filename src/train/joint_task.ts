// What is done with a joint model on a thread of its own, as plain data.
import type { JointConfig } from '../heads/joint_config.js';
import { JointModel } from '../heads/joint_model.js';
import { deviceOf } from './devices.js';
import { type FitCall, type FitOutcome, type RunTask, teach } from './fit_loop.js';
import { answerField, type FieldAnswer } from './joint_answers.js';
import { JointLearner } from './joint_learner.js';
import type { JointSettings } from './joint_settings.js';
import type { JointTiles } from './joint_tiles.js';
import { Pace } from './pace.js';

export interface JointFitTask extends RunTask {
  config: JointConfig;
  settings: JointSettings;
  training: JointTiles;
  validation: JointTiles | undefined;
  /** Side of the windows that large validation tiles are answered in, in pixels. */
  side: number;
}

export interface JointPredictTask {
  config: JointConfig;
  weights: FitOutcome['weights'];
  tiles: JointTiles;
  side: number;
  /** See `ChosenDevice`. */
  device: string;
}

/** Trains a joint model from its seed, or from a checkpoint. */
export async function runJointFit(task: JointFitTask, call: FitCall): Promise<FitOutcome> {
  const model = new JointModel(task.config, task.settings.seed).to(deviceOf(task.device).device);
  return teach(new JointLearner(model, task, new Pace('fit', call.signal)), task, call);
}

/** What a joint model says of each tile. */
export async function runJointPredict({ config, weights, tiles, side, device }: JointPredictTask, call: FitCall): Promise<FieldAnswer[]> {
  const model = new JointModel(config, 0);
  const pace = new Pace('predict', call.signal);
  try {
    model.load(weights);
    model.to(deviceOf(device).device);
    model.eval();
    const answers: FieldAnswer[] = [];
    for (let tile = 0; tile < tiles.tiles.length; tile++) {
      answers.push(await answerField(model, tiles, tile, { side, pace }));
      call.onProgress?.({ phase: 'predict', done: tile + 1, total: tiles.tiles.length });
      await pace.rest();
    }
    return answers;
  } finally {
    model.dispose();
  }
}
