// What the demo says when it is done: what came out, what to open, how to go on with pictures of one's own.
import type { Scores } from '../report/evaluation_report.js';
import { SHOWN } from './demo_plan.js';

/** What a demo came to. */
export interface DemoSummary {
  seed: number;
  /** Nuclei that the model learned from, and those of the unseen tiles. */
  learned: { tiles: number; nuclei: number };
  unseen: { tiles: number; nuclei: number };
  accuracy: { value: number; low: number; high: number };
  scores: Scores;
  /** The picture that was predicted, and its nuclei per class; the pixel size where the user gave it. */
  picture: {
    path: string;
    mask: string | undefined;
    mpp: number | undefined;
    own: boolean;
    nuclei: number;
    classes: Record<string, number>;
  };
  /** The mask of the picture's nuclei where they were found by the segmentation. */
  segmented: boolean;
  files: readonly string[];
}

const count = (value: number): string => value.toLocaleString('en-US');

/** The caution that belongs to every number of the demo. */
export const CAUTION =
  'The tiles are drawings: the numbers show that everything works, and say nothing about how well real tissue is classified.';

const CAUTION_OWN =
  'The classes were learned on drawings. On real tissue they mean little: take them as a picture of what a trained model gives, not as an answer.';

/** `0.981 (95 % interval 0.972 to 0.988)` */
const interval = ({ value, low, high }: DemoSummary['accuracy']): string =>
  `${value.toFixed(3)} (95 % interval ${low.toFixed(3)} to ${high.toFixed(3)})`;

function result({ learned, unseen, accuracy, scores, picture, segmented }: DemoSummary): string[] {
  const classes = Object.entries(picture.classes).map(([name, own]) => `${count(own)} ${name}`);
  return [
    `A UAM learned from ${count(learned.nuclei)} nuclei of ${learned.tiles} drawn tiles and classified ${count(unseen.nuclei)} of ${unseen.tiles} tiles`,
    `that it had not seen: accuracy ${interval(accuracy)}, macro F1 ${scores.macroF1.toFixed(3)}.`,
    picture.own
      ? `Your picture has ${count(picture.nuclei)} nuclei${segmented ? ', as the built-in segmentation finds them' : ''}: ${classes.join(', ')}.`
      : `The tile shown has ${count(picture.nuclei)} nuclei: ${classes.join(', ')}.`,
    picture.own ? CAUTION_OWN : CAUTION,
  ];
}

/** Files with what they are, names padded to one width. */
function listed(folder: string, files: readonly (readonly [name: string, what: string])[]): string[] {
  const names = files.map(([name]) => `${folder}${name}`);
  const width = Math.max(...names.map(({ length }) => length));
  return files.map(([, what], i) => `  ${(names[i] as string).padEnd(width)}  ${what}`);
}

/** A path as a shell takes it. */
const typed = (path: string): string => (/^[\w./\\:-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`);

/**
 * The text for standard output and, with an empty `folder`, for the folder itself.
 *
 * @param folder what stands before the names of files: the folder's name and `/`
 */
export function demoWords(summary: DemoSummary, folder: string): string {
  const { picture, segmented } = summary;
  const image = picture.own ? picture.path : `${folder}${SHOWN}.png`;
  const labels = picture.mask ?? `${folder}${picture.own ? 'cells' : SHOWN}_labels.png`;
  const scale = picture.mpp === undefined ? '' : ` --mpp ${picture.mpp}`;
  const look = listed(folder, [
    ['overlay.png', 'every nucleus in the colour of its class'],
    ['evaluation.html', 'how good the answers are: scores, confusion, ROC, calibration, learning curves'],
  ]);
  const rest = listed(folder, [
    ['model.safetensors', 'the model: parameters, features and their scaling, classes'],
    ['metrics.json', 'the numbers of the page'],
    ['learning_curves.svg', 'loss and macro F1 per epoch'],
    ...(segmented ? [['cells_labels.png', 'the nuclei that the segmentation found'] as const] : []),
    ['manifest.csv, tiles/', 'the tiles with masks, classes and tumour regions'],
  ]);
  return [
    ...result(summary),
    '',
    'Open first:',
    ...look,
    `In QuPath: drag ${image} into the window, then ${folder}cells.geojson onto the picture.`,
    '',
    'Also there:',
    ...rest,
    '',
    'Go on:',
    `  npx uam predict --image ${typed(image)} --mask ${typed(labels)}${scale} --model ${typed(`${folder}model.safetensors`)} --out cells.csv`,
    `  npx uam train --manifest ${typed(`${folder}manifest.csv`)} --size S --out my.safetensors     # write such a manifest for your own images`,
    ...(picture.own ? [] : ['  npx uam demo --image your.png --mpp 0.5     # the same with a picture of yours']),
    '',
  ].join('\n');
}
