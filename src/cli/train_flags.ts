// The flags of `uam train`, checked and turned into what is to be done.
import type { Command } from 'commander';
import { UamError } from '../errors.js';
import { TOKENISERS } from '../tokens/tokens_config.js';
import type { FitOptions } from '../train/fit_options.js';
import type { JointUamOptions } from '../train/joint_options.js';
import type { JointFitOptions } from '../train/joint_settings.js';
import { DEFAULT_RECIPE, type ExtractionRecipe } from '../train/recipe.js';
import type { UamOptions } from '../train/uam.js';
import { ARCHITECTURES, SIZES, type Size } from '../uam/config.js';
import { FUSIONS } from '../uam/fusion.js';
import type { CommonFlags } from './command.js';
import { addDatasetFlags, manifestHelp } from './dataset_flags.js';
import { addDeviceFlag, type DeviceFlags } from './device_flag.js';
import { chosenChannels, chosenFeatures } from './feature_flags.js';
import { items, numberFlag, shareFlag, wordFlag } from './flag_values.js';
import { addTileFlags, type TileFlags, tilesHelp } from './tile_flags.js';

export interface TrainFlags extends CommonFlags, TileFlags, DeviceFlags {
  task?: string;
  fusion?: string;
  encoder?: string;
  crop?: string;
  stain?: string;
  uncertainty?: boolean;
  out?: string;
  classes?: string;
  validation?: string;
  size?: string;
  architecture?: string;
  tokens?: string;
  epochs?: string;
  patience?: string;
  batch?: string;
  lr?: string;
  seed?: string;
  balance?: string;
  features?: string;
  channels?: string;
  ring?: string;
  stains?: string;
  modelMpp?: string;
  checkpoint?: string;
  checkpointEvery?: string;
  resume?: boolean;
  restart?: boolean;
  log?: string;
  curves?: string;
  threads?: string;
  json?: boolean;
}

const help = `
Examples:
  uam train --manifest train.csv --mpp 0.5 --out model.safetensors --curves curves.svg
  uam train --manifest train.csv --out model.safetensors --resume          # goes on where an interrupted run ended
  uam train --table cells.csv --class-column label --out model.safetensors --size S
  uam train --task joint --manifest train.csv --mpp 0.5 --out joint.safetensors       # cells and tumour regions, from image and features
${manifestHelp}
${tilesHelp}

Patients for validation decide when to stop, which epoch is kept, and how probabilities are calibrated; nothing is learned from them.
After every epoch the run is kept in a checkpoint beside the model; Ctrl-C keeps it, too. The same command with --resume goes on from it,
to the same model, bit for bit, as a run without a break (on another --device: to one of the same quality). The checkpoint is removed when the model is written.`;

export function addTrainFlags(command: Command): void {
  addDeviceFlag(addTileFlags(addDatasetFlags(command)))
    .option(
      '--task <task>',
      'cells: nuclei are classified by their features; joint: by features and image together, and tumour regions are segmented; ' +
        'region: regions alone, from the image alone (default: cells)',
    )
    .option('--fusion <how>', `how features and image meet in --task joint: ${FUSIONS.join(', ')} (default: cross)`)
    .option('--encoder <size>', 'what looks at the image: S, B, or maps: feature maps named in the manifest (default: S)')
    .option('--crop <pixels>', 'side of the windows that are cut from larger images in a step, a multiple of 32 (default: 512)')
    .option('--stain <amount>', 'how far stains are changed from step to step, 0 to 1 (default: 0.03)')
    .option('--uncertainty', 'let the weights of both tasks be learned, too')
    .option('--out <file>', 'the model to write (.safetensors)')
    .option('--classes <list>', 'names of the classes in their order, with commas between (default: those that occur, sorted)')
    .option(
      '--validation <share>',
      'the share of the patients to keep for validation, 0 to 1, or a second manifest (with --table: table) ' +
        '(default: the lines whose split is validation, or where there are none 0.2)',
    )
    .option('--size <size>', `how large the model is: ${Object.keys(SIZES).join(', ')} (default: S)`)
    .option(
      '--architecture <name>',
      `amamba and amamba-moe are UAM, the others are for comparison: ${ARCHITECTURES.join(', ')} (default: amamba)`,
    )
    .option(
      '--tokens <kind>',
      'what the model looks at together: cell (a nucleus among its neighbours), feature, chunk or vector (each nucleus for itself) ' +
        '(default: cell; feature for a table without --mpp)',
    )
    .option('--epochs <n>', 'passes over the training cells at most (default: 30)')
    .option('--patience <n>', 'epochs without a better validation before the run ends (default: 8)')
    .option('--batch <n>', 'tiles per step with cell tokens (default: 2), cells per step otherwise (default: 1024)')
    .option('--lr <rate>', 'the highest learning rate (default: 0.001 for S, 0.0005 for B, 0.0003 for L; twice that with cell tokens)')
    .option('--seed <n>', 'of everything random; the same seed, data and flags give the same model (default: 1)')
    .option(
      '--balance <how>',
      'against rare classes: weights in the loss, sampler (rare ones are drawn oftener) or none (default: weights)',
    )
    .option('--features <list>', 'classes or features to extract, as for uam features (default: all)')
    .option('--channels <list>', 'of grey, r, g, b, haematoxylin (h), eosin (e), with commas between (default: grey,h,e)')
    .option('--ring <um>', 'width of the ring about each nucleus, for ring features (default: 2)')
    .option('--stains <method>', 'stain matrix for haematoxylin and eosin: ruifrok or macenko (default: ruifrok)')
    .option(
      '--model-mpp <um>',
      'micrometres per pixel at which features are measured, here and by the model ever after: images of another pixel size are resampled ' +
        'to it (default: that of the first image); own: the pixels as they are',
    )
    .option(
      '--checkpoint <file>',
      'where the run is kept while it goes on; stays there afterwards (default: <out>.checkpoint, removed at the end)',
    )
    .option('--checkpoint-every <n>', 'also keep it every so many steps (default: after every epoch)')
    .option('--resume', 'go on from the checkpoint, where there is one')
    .option('--restart', 'begin anew although there is a checkpoint of a run that was interrupted')
    .option('--log <file>', 'a file of JSON lines, one for each step and each epoch')
    .option('--curves <file>', 'the learning curves as a picture (.svg)')
    .option(
      '--threads <n>',
      'threads to use; the model does not depend on it (default: what the cgroup, the affinity mask and Slurm allow)',
    )
    .option('--json', 'print a summary of the run as JSON on standard output')
    .addHelpText('after', help);
}

/** A whole number from 0. */
function seedFlag(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = text.trim() === '' ? Number.NaN : Number(text);
  if (Number.isInteger(value) && value >= 0 && value < 2 ** 32) return value;
  throw new UamError('UAM_ARGUMENT', `--seed must be a whole number from 0 to 4294967295, received '${text}'`);
}

/** What model is to be made. */
export function modelFlags(flags: TrainFlags): UamOptions {
  const size = wordFlag('size', flags.size?.toUpperCase(), Object.keys(SIZES) as Size[]);
  const architecture = wordFlag('architecture', flags.architecture, ARCHITECTURES);
  const seed = seedFlag(flags.seed);
  const placeless = flags.table !== undefined && flags.mpp === undefined;
  return {
    tokens: wordFlag('tokens', flags.tokens, TOKENISERS) ?? (placeless ? 'feature' : 'cell'),
    ...(size && { size }),
    ...(architecture && { architecture }),
    ...(seed !== undefined && { seed }),
  };
}

/** How it is to be trained. */
export function fitFlags(flags: TrainFlags): FitOptions {
  const whole = { epochs: flags.epochs, patience: flags.patience, batch: flags.batch, checkpointEvery: flags.checkpointEvery };
  const numbers = Object.entries(whole).flatMap(([name, text]) => {
    const value = numberFlag(name === 'checkpointEvery' ? 'checkpoint-every' : name, text, 'whole');
    return value === undefined ? [] : [[name, value]];
  });
  const learningRate = numberFlag('lr', flags.lr, 'above 0');
  const balance = wordFlag('balance', flags.balance, ['weights', 'sampler', 'none'] as const);
  return {
    ...Object.fromEntries(numbers),
    ...(learningRate !== undefined && { learningRate }),
    ...(balance && { balance }),
    resume: flags.resume ?? false,
  };
}

export const taskFlag = ({ task }: TrainFlags): 'cells' | 'joint' | 'region' =>
  wordFlag('task', task, ['cells', 'joint', 'region'] as const) ?? 'cells';

/** What model of images is to be made. */
export function jointModelFlags(flags: TrainFlags, task: 'joint' | 'region'): JointUamOptions {
  if (flags.tokens !== undefined)
    throw new UamError('UAM_ARGUMENT', '--tokens is for --task cells: models that see the image have cell tokens');
  const { tokens, ...model } = modelFlags(flags);
  const fusion = wordFlag('fusion', flags.fusion, FUSIONS);
  const size = flags.encoder === undefined || flags.encoder === 'maps' ? flags.encoder : flags.encoder.toUpperCase();
  const encoder = wordFlag('encoder', size, ['S', 'B', 'maps'] as const);
  return { ...model, task, ...(fusion && { fusion }), ...(encoder && { encoder }), ...(flags.uncertainty && { uncertainty: true }) };
}

/** How it is to be trained. */
export function jointFitFlags(flags: TrainFlags): JointFitOptions {
  const crop = numberFlag('crop', flags.crop, 'whole');
  const stain = flags.stain === undefined ? undefined : shareFlag('stain', flags.stain);
  return { ...(fitFlags(flags) as JointFitOptions), ...(crop !== undefined && { crop }), ...(stain !== undefined && { stain }) };
}

/** How features are extracted from images. */
export function recipeFlags(flags: TrainFlags): ExtractionRecipe {
  const given = (['features', 'channels', 'ring', 'stains', 'modelMpp'] as const).find((name) => flags[name] !== undefined);
  if (flags.table !== undefined && given)
    throw new UamError(
      'UAM_ARGUMENT',
      `--${given === 'modelMpp' ? 'model-mpp' : given} is for --manifest: a table has its features already`,
    );
  const ringWidth = numberFlag('ring', flags.ring, 'above 0');
  const stains = wordFlag('stains', flags.stains, ['ruifrok', 'macenko'] as const);
  const mpp = flags.modelMpp?.trim() === 'own' ? 'own' : numberFlag('model-mpp', flags.modelMpp, 'above 0');
  return {
    ...DEFAULT_RECIPE,
    ...(flags.features !== undefined && { features: chosenFeatures(flags.features) }),
    ...(flags.channels !== undefined && { channels: chosenChannels(flags.channels) }),
    ...(ringWidth !== undefined && { ringWidth }),
    ...(stains && { stains }),
    ...(mpp !== undefined && { mpp }),
  };
}

/** The names of the classes, where they are given. */
export function classFlags({ classes }: TrainFlags): string[] | undefined {
  if (classes === undefined) return undefined;
  const names = items(classes);
  if (names.length < 2) throw new UamError('UAM_ARGUMENT', `--classes must name at least two classes, received '${classes}'`);
  return names;
}

/** A share, or a file. */
export function validationFlag({ validation }: TrainFlags): number | string | undefined {
  if (validation === undefined) return undefined;
  const share = validation.trim() === '' ? Number.NaN : Number(validation);
  if (Number.isNaN(share) && validation !== '') return validation;
  if (share >= 0 && share < 1) return share;
  throw new UamError('UAM_ARGUMENT', `--validation must be a share of the patients from 0 to below 1, or a file, received '${validation}'`);
}
