// What is seen of a training: the line on the terminal, a message per epoch, the table at the end.
import type { FitProgress } from '../train/fit_options.js';
import type { JointFitReport } from '../train/joint_uam.js';
import type { FitReport } from '../train/uam.js';
import { bar, clock } from './progress.js';
import type { Session } from './session.js';
import { bytesText, grouped, textList } from './text_table.js';

const three = (value: number | undefined): string => (value === undefined ? '-' : value.toFixed(3));

/** `[####......]  epoch 3/30  loss 0.812  F1 0.634 (best 0.641)  1:23  4:10 left`: macro-F1 on validation, and at most so long. */
export class TrainingView {
  #loss: number | undefined;
  readonly #scores = { F1: { latest: Number.NaN, best: Number.NaN }, Dice: { latest: Number.NaN, best: Number.NaN } };
  /** Where the first step that was heard of stood, and when: a run may have begun in the middle. */
  #begun: { done: number; at: number } | undefined;

  constructor(private readonly session: Session) {}

  show(progress: FitProgress): void {
    const { phase, done, total, epoch = 0, epochs = 0, loss, macroF1, dice } = progress;
    if (phase === 'prepare') return this.#line('scaling features', 0, undefined);
    this.#begun ??= { done, at: performance.now() };
    if (phase === 'train') this.#loss = loss;
    if (phase === 'validate') {
      this.#note('F1', macroF1);
      this.#note('Dice', dice);
      const found = Object.entries({ 'macro-F1': macroF1, 'Dice of regions': dice }).flatMap(([name, score]) =>
        score === undefined ? [] : [`${name} ${three(score)}`],
      );
      const on = found.length > 0 ? `, on validation ${found.join(', ')}` : '';
      const fields = { epoch: epoch + 1, loss, ...(macroF1 !== undefined && { macroF1 }), ...(dice !== undefined && { dice }) };
      this.session.log.info(`epoch ${epoch + 1}/${epochs}: loss ${three(loss)}${on}`, fields);
    }
    const scores = Object.entries(this.#scores).flatMap(([name, { latest, best }]) =>
      Number.isNaN(best) ? [] : [`  ${name} ${three(latest)} (best ${three(best)})`],
    );
    const left = this.#left(done, total);
    this.#line(`epoch ${epoch + 1}/${epochs}  loss ${three(this.#loss)}${scores.join('')}`, done / Math.max(1, total), left);
  }

  #note(name: 'F1' | 'Dice', score: number | undefined): void {
    if (score === undefined) return;
    const known = this.#scores[name];
    known.latest = score;
    if (!(known.best >= score)) known.best = score;
  }

  /** Seconds that the run takes at most, as steps took so far. */
  #left(done: number, total: number): number | undefined {
    if (!this.#begun || done <= this.#begun.done) return undefined;
    return ((performance.now() - this.#begun.at) / 1000 / (done - this.#begun.done)) * (total - done);
  }

  #line(text: string, share: number, left: number | undefined): void {
    this.session.progress.update((seconds, width) =>
      [bar(share), text, clock(seconds), ...(left === undefined ? [] : [`${clock(left)} left`])].join('  ').slice(0, Math.max(0, width)),
    );
  }
}

export interface TrainingSummary {
  out: string;
  bytes: number;
  seconds: number;
  classes: readonly string[];
  report: FitReport | JointFitReport;
}

/** The run in a few lines. */
export function trainingTable({ out, bytes, seconds, classes, report }: TrainingSummary): string {
  const { history, bestEpoch, temperature, features, trainingCells, trainingPatients, validationPatients } = report;
  const best = history[bestEpoch];
  const patients =
    validationPatients.length > 0 ? `${validationPatients.length} for validation` : 'none for validation: the last epoch is kept';
  return textList([
    ['epochs', `${history.length} (best: ${bestEpoch + 1})`],
    ['macro-F1', best?.macroF1 === undefined ? '-' : `${three(best.macroF1)} on validation`],
    ...('trainingTiles' in report
      ? [['Dice', best?.dice === undefined ? '-' : `${three(best.dice)} on validation, of regions`] as const]
      : []),
    ['temperature', three(temperature)],
    ['features', `${grouped(features)} used`],
    ['cells', `${grouped(trainingCells)} for training`],
    ...('trainingTiles' in report
      ? [['tiles', `${grouped(report.trainingTiles)} for training, ${grouped(report.trainingRegions)} with regions`] as const]
      : []),
    ['patients', `${trainingPatients.length} for training, ${patients}`],
    ['classes', classes.join(', ')],
    ['time', clock(seconds)],
    ['model', `${out} (${bytesText(bytes)})`],
  ]);
}

/** The same for programs. */
export function trainingSummary({ report, ...rest }: TrainingSummary): object {
  const { history, bestEpoch, steps, temperature, features, trainingCells, trainingPatients, validationPatients } = report;
  return {
    ...rest,
    ...{ epochs: history.length, bestEpoch: bestEpoch + 1, steps, macroF1: history[bestEpoch]?.macroF1 ?? null, temperature, features },
    ...('trainingTiles' in report
      ? { dice: history[bestEpoch]?.dice ?? null, trainingTiles: report.trainingTiles, trainingRegions: report.trainingRegions }
      : {}),
    ...{ trainingCells, trainingPatients: trainingPatients.length, validationPatients: validationPatients.length },
  };
}
