import { UamError } from '../errors.js';
import type { Calibration, EvaluationReport, LearningCurve } from '../report/evaluation_report.js';
import type { RegionReport } from '../report/region_report.js';
import { bootstrapIntervals } from './bootstrap.js';
import { Scorer } from './metrics.js';
import { rocCurve } from './ranking.js';
import type { BootstrapOptions } from './resampled.js';
import { checkLeakage } from './split.js';
import { fitTemperature, softmaxAt } from './temperature.js';
import type { TestedPoints } from './tested_points.js';

export interface EvaluateOptions extends BootstrapOptions {
  /** The page's heading; default `'Evaluation'`. */
  title?: string | undefined;
  /** TestedPoints on validation patients: a temperature is fitted on them and applied to those tested. They must share no patient. */
  validation?: TestedPoints | undefined;
  /** A temperature that is known already, as a model's own: applied to those tested. Not together with `validation`. */
  temperature?: number | undefined;
  /** Patients that the model was trained on: the run fails where one of them is tested. */
  trainedOn?: Iterable<string> | undefined;
  /** Curves of the training, for the page. */
  learning?: LearningCurve[] | undefined;
  /** Settings and remarks, for the page. */
  notes?: string[] | undefined;
  /** How the model tells regions (`scoreRegions`), for the report. */
  regions?: RegionReport | undefined;
}

/** Points of an ROC curve in a report: enough to draw it. */
const mostRocPoints = 200;

/** Logarithms, bounded so that a probability that rounded to 0 stays a number. */
const logits = (probabilities: Float32Array | Float64Array): Float64Array =>
  Float64Array.from(probabilities, (p) => Math.log(Math.max(p, 1e-30)));

/**
 * Probabilities after temperature scaling: p^(1/T), scaled to the sum 1.
 *
 * @throws UamError as `softmaxAt`
 * @example
 * const { probabilities } = atTemperature({ classes: ['a', 'b'], truth: [0], probabilities: Float64Array.of(0.9, 0.1) }, 2);
 * console.log(probabilities); // 0.75, 0.25
 */
export function atTemperature(predictions: TestedPoints, temperature: number): TestedPoints {
  return { ...predictions, probabilities: softmaxAt(logits(predictions.probabilities), predictions.classes.length, temperature) };
}

function calibration(scorer: Scorer): Calibration {
  const { ece, brier, logLoss } = scorer.scores();
  return { scores: { ece, brier, logLoss }, bins: scorer.reliability() };
}

function checkParts(tested: TestedPoints, { validation, trainedOn, temperature }: EvaluateOptions): void {
  if (validation && temperature !== undefined) {
    throw new UamError('UAM_ARGUMENT', 'evaluate: give validation, to fit a temperature on, or the temperature, not both');
  }
  if (validation && validation.classes.join('\n') !== tested.classes.join('\n')) {
    throw new UamError(
      'UAM_ARGUMENT',
      `evaluate: validation has the classes ${validation.classes.join(', ')}, the tested predictions ${tested.classes.join(', ')}`,
    );
  }
  if (!tested.patients) return;
  checkLeakage({ training: trainedOn ?? [], test: tested.patients });
  checkLeakage({ validation: validation?.patients ?? [], test: tested.patients });
}

/**
 * Everything about predictions on patients that the model has not seen: scores with bootstrap intervals by patient, the curves, and the
 * calibration before and after a temperature that is given, or fitted on validation patients. `writeEvaluation` turns it into JSON or a page.
 *
 * @param tested predictions on test patients; see `scorePredictions` for the scores and for points without an answer
 * @returns plain data. Accuracy and F1 do not change with the temperature; Brier, log loss, ECE and (slightly) the areas do
 * @throws UamError `UAM_DATA` that names a patient who is tested and was trained or calibrated on; as `scorePredictions` and
 *   `bootstrapIntervals`
 * @example
 * const points = { classes: ['tumour', 'other'], truth: [0, 1, 1, 0], patients: ['a', 'a', 'b', 'c'] };
 * const probabilities = Float64Array.of(0.9, 0.1, 0.2, 0.8, 0.7, 0.3, 0.6, 0.4);
 * const { scores, intervals } = await evaluate({ ...points, probabilities }, { resamples: 50, trainedOn: ['d'] });
 * console.log(scores.accuracy, intervals.macroF1.low);
 */
export async function evaluate(tested: TestedPoints, options: EvaluateOptions = {}): Promise<EvaluationReport> {
  const { title = 'Evaluation', validation, learning, notes, regions, level = 0.95 } = options;
  checkParts(tested, options);
  const before = new Scorer(tested);
  const temperature = options.temperature ?? (validation && fitTemperature(logits(validation.probabilities), validation.truth));
  const final = temperature === undefined ? tested : atTemperature(tested, temperature);
  const after = temperature === undefined ? before : new Scorer(final);
  const { classes, count, truth, probabilities, patients } = after.data;
  return {
    title,
    classes: [...classes],
    patients: patients ? new Set(patients).size : 0,
    scores: after.scores(),
    intervals: await bootstrapIntervals(final, options),
    level,
    ...(temperature === undefined ? {} : { temperature, uncalibrated: calibration(before) }),
    calibrated: calibration(after),
    roc: after.scores().perClass.map(({ name, auroc }, c) => ({
      name,
      auroc,
      ...rocCurve(
        Float64Array.from({ length: count }, (_, i) => probabilities[i * classes.length + c] as number),
        Array.from(truth, (own) => own === c),
        mostRocPoints,
      ),
    })),
    ...(learning ? { learning } : {}),
    ...(notes ? { notes } : {}),
    ...(regions ? { regions } : {}),
  };
}
