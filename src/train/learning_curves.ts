import { UamError } from '../errors.js';
import type { LearningCurve } from '../report/evaluation_report.js';
import type { EpochRecord } from './training_state.js';

/**
 * The epochs of a training as curves, for `learningPlots` and for the page of an evaluation: the loss in training, and on validation its
 * cross entropy and macro-F1. The two losses are not the same measure: training adds label smoothing, class weights and augmentation.
 *
 * @example
 * const history = [{ epoch: 0, step: 10, loss: 0.9, macroF1: 0.5, validationLoss: 0.8 }];
 * const [svg] = learningPlots(learningCurves(history));
 */
export function learningCurves(history: readonly EpochRecord[]): LearningCurve[] {
  const curve = (chart: string, name: string, of: (record: EpochRecord) => number | undefined): LearningCurve[] => {
    const known = history.filter((record) => of(record) !== undefined);
    if (known.length === 0) return [];
    return [{ chart, name, x: known.map(({ epoch }) => epoch + 1), y: known.map((record) => of(record) as number) }];
  };
  return [
    ...curve('loss', 'training', ({ loss }) => loss),
    ...curve('loss', 'validation', ({ validationLoss }) => validationLoss),
    ...curve('macro F1', 'validation', ({ macroF1 }) => macroF1),
    ...curve('Dice of regions', 'validation', ({ dice }) => dice),
  ];
}

/** The epochs as a model's file keeps them. */
export function historyFrom(text: string | undefined, where: string): EpochRecord[] {
  if (text === undefined) return [];
  const broken = (cause?: unknown) =>
    new UamError('UAM_FORMAT', `${where}: its history of training is not as this version writes it`, { cause });
  let records: EpochRecord[];
  try {
    records = JSON.parse(text);
  } catch (error) {
    throw broken(error);
  }
  const number = (value: unknown) => value === undefined || Number.isFinite(value);
  const sound = (record: EpochRecord) =>
    [record?.epoch, record?.step, record?.loss].every(Number.isFinite) &&
    [record.macroF1, record.dice, record.validationLoss].every(number);
  if (!Array.isArray(records) || !records.every(sound)) throw broken();
  return records;
}
