// The work that may run on another thread, as plain data, and how it is done on whichever thread.
import { CellClassifier, type ClassifierConfig } from '../heads/cell_classifier.js';
import type { Backend } from '../native/device.js';
import { deviceOf } from './devices.js';
import { type FitCall, type FitOutcome, type FitTask, runFit } from './fit_loop.js';
import type { FieldAnswer } from './joint_answers.js';
import { type JointFitTask, type JointPredictTask, runJointFit, runJointPredict } from './joint_task.js';
import { Pace } from './pace.js';
import type { PackedCells } from './packed_cells.js';
import { type ModelAnswers, runModel, type Sharing } from './run_model.js';

/** Parameters by name, as plain data. */
export type Weights = FitOutcome['weights'];

export interface PredictTask {
  config: ClassifierConfig;
  weights: Weights;
  cells: PackedCells;
  tokenBudget: number;
  embeddings: boolean;
  /** See `ChosenDevice`. */
  device: string;
  /** Set where several threads do the task together. */
  sharing?: Sharing | undefined;
}

/** Exactly one of these. */
export interface Task {
  fit?: FitTask;
  predict?: PredictTask;
  jointFit?: JointFitTask;
  jointPredict?: JointPredictTask;
}

/** What a task leaves, under its own name. */
export interface TaskResult {
  fit?: FitOutcome;
  predict?: ModelAnswers;
  jointFit?: FitOutcome;
  /** An answer per tile. */
  jointPredict?: FieldAnswer[];
}

/** What a thread is started with. */
export interface ThreadTask {
  task: Task;
  backend: Backend;
}

async function runPredict(
  { config, weights, cells, tokenBudget, embeddings, device, sharing }: PredictTask,
  call: FitCall,
): Promise<ModelAnswers> {
  const model = new CellClassifier(config, 0);
  try {
    model.load(weights);
    model.to(deviceOf(device).device);
    const onProgress = (done: number, total: number) => call.onProgress?.({ phase: 'predict', done, total });
    return await runModel(model, cells, { tokenBudget, embeddings, sharing, pace: new Pace('predict', call.signal), onProgress });
  } finally {
    model.dispose();
  }
}

/** Does a task here and now; between its pieces the event loop turns. */
export async function runTask(task: Task, call: FitCall): Promise<TaskResult> {
  if (task.fit) return { fit: await runFit(task.fit, call) };
  if (task.jointFit) return { jointFit: await runJointFit(task.jointFit, call) };
  if (task.jointPredict) return { jointPredict: await runJointPredict(task.jointPredict, call) };
  return { predict: await runPredict(task.predict as PredictTask, call) };
}
