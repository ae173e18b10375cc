import type { JointModel } from '../heads/joint_model.js';
import { macroF1 } from './f1.js';
import { answerField, type FieldOptions } from './joint_answers.js';
import type { JointTiles } from './joint_tiles.js';
import type { Validation } from './learner.js';
import { highestOf } from './run_model.js';
import { fitTemperature, softmaxAt } from './temperature.js';

/** Counts of the pixels of each kind of region. */
interface PixelCounts {
  hits: Float64Array;
  /** Pixels inside by the truth, and by the model, together. */
  sizes: Float64Array;
  /** Sum of the cross entropy, and the pixels that it was summed over. */
  entropy: number;
  known: number;
}

function countPixels(counts: PixelCounts, found: Float32Array, truth: Uint8Array, kinds: number): void {
  for (let i = 0; i < truth.length; i++) {
    const wanted = truth[i] as number;
    if (wanted > 1) continue;
    const p = found[i] as number;
    const given = p >= 0.5 ? 1 : 0;
    counts.hits[i % kinds]! += wanted & given;
    counts.sizes[i % kinds]! += wanted + given;
    counts.entropy -= Math.log(Math.max(wanted ? p : 1 - p, 1e-30));
    counts.known++;
  }
}

/** The mean over kinds of 2 TP / (2 TP + FP + FN) over all pixels; kinds that neither occur nor are found are left out. */
function pooledDice({ hits, sizes }: PixelCounts): number | undefined {
  const known = Array.from(sizes, (size, k) => (2 * (hits[k] as number)) / size).filter((dice) => !Number.isNaN(dice));
  return known.length > 0 ? known.reduce((sum, dice) => sum + dice, 0) / known.length : undefined;
}

/** How well a joint model, in evaluation mode, does on tiles that it has not learned from; undefined where nothing is known of them. */
export async function validateJoint(model: JointModel, tiles: JointTiles, options: FieldOptions): Promise<Validation | undefined> {
  const { cells, kinds } = tiles;
  const classes = model.classifier?.config.classes ?? 0;
  const counts: PixelCounts = { hits: new Float64Array(kinds), sizes: new Float64Array(kinds), entropy: 0, known: 0 };
  const [logits, labels]: [number[], number[]] = [[], []];
  for (let tile = 0; tile < tiles.tiles.length; tile++) {
    const { region } = tiles.tiles[tile] as JointTiles['tiles'][number];
    const from = cells ? (cells.tiles[tile] as number) : 0;
    const to = cells ? (cells.tiles[tile + 1] as number) : 0;
    const labelled = cells ? (cells.labelStarts[to] as number) - (cells.labelStarts[from] as number) : 0;
    if (labelled === 0 && !region) continue;
    const answer = await answerField(model, tiles, tile, options);
    for (let row = from; row < to; row++) {
      for (let at = cells?.labelStarts[row] as number; at < (cells?.labelStarts[row + 1] as number); at++) {
        labels.push(cells?.labels[at] as number);
        logits.push(...answer.logits.subarray((row - from) * classes, (row - from + 1) * classes));
      }
    }
    if (region && answer.regions) countPixels(counts, answer.regions, region, kinds);
    await options.pace.rest();
  }
  const unmatched = cells?.unmatched ?? new Int32Array(0);
  if (labels.length + unmatched.length === 0 && counts.known === 0) return undefined;
  const ofCells = scoreCells(Float32Array.from(logits), labels, unmatched, classes);
  return {
    ...ofCells,
    dice: pooledDice(counts),
    loss: ofCells.loss + counts.entropy / Math.max(1, counts.known),
  };
}

/** A cell whose logits are NaN lies outside of its image: it has no answer, and counts as an error. */
function scoreCells(logits: Float32Array, labels: readonly number[], unmatched: Int32Array, classes: number) {
  if (labels.length + unmatched.length === 0) return { loss: 0, temperature: 1 };
  const answered = labels.flatMap((_, i) => (Number.isNaN(logits[i * classes]) ? [] : [i]));
  const known = Float32Array.from(answered.flatMap((i) => [...logits.subarray(i * classes, (i + 1) * classes)]));
  const truth = Int32Array.from(answered, (i) => labels[i] as number);
  const highest = highestOf(logits, classes).map((found, i) => (Number.isNaN(logits[i * classes]) ? -1 : found));
  const probabilities = softmaxAt(known, classes, 1);
  let loss = 0;
  truth.forEach((label, i) => {
    loss -= Math.log(Math.max(probabilities[i * classes + label] as number, 1e-30));
  });
  return {
    macroF1: macroF1([...labels, ...unmatched], [...highest, ...unmatched.map(() => -1)], classes),
    loss: loss / Math.max(1, truth.length),
    temperature: truth.length > 0 && classes > 1 ? fitTemperature(known, truth) : 1,
  };
}
