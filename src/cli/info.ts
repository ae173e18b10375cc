// `uam info`: what a model's file says about it.
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import type { Command } from 'commander';
import { UamError } from '../errors.js';
import { classifierParameterCount } from '../heads/cell_classifier.js';
import { jointParameterCount } from '../heads/joint_config.js';
import { readJointFile } from '../heads/joint_file.js';
import { readModelFile } from '../heads/model_file.js';
import { modelKind } from '../heads/model_kind.js';
import { modelNotes } from '../train/model_notes.js';
import type { ExtractionRecipe } from '../train/recipe.js';
import type { EpochRecord } from '../train/training_state.js';
import type { CliCommand, CommonFlags } from './command.js';
import { EXIT } from './exit_codes.js';
import { bytesText, grouped, textList } from './text_table.js';

export interface InfoFlags extends CommonFlags {
  features?: boolean;
  json?: boolean;
}

const help = `
Nothing of the model is run, and its parameters are not read into memory.`;

export const infoCommand: CliCommand<InfoFlags> = {
  arguments: '<model>',

  flags(command: Command): void {
    command
      .option('--features', 'list all features that it reads, in its order')
      .option('--json', 'print all of it as JSON')
      .addHelpText('after', help);
  },

  async run(flags, { session }, [path = '']) {
    const info = await modelInfo(path);
    if (flags.json) await session.print(`${JSON.stringify(info, null, 2)}\n`);
    else await session.print(infoText(info, flags.features ?? false));
    return EXIT.ok;
  },
};

/** What either kind of file says. */
async function factsOf(path: string) {
  if ((await modelKind(path)) === 'cells') {
    const { config, scaling, ...facts } = await readModelFile(path);
    return { ...facts, cells: config, scaling, parameters: classifierParameterCount(config).total, joint: undefined };
  }
  const { config, scaling, regions, mpp, ...facts } = await readJointFile(path);
  const { image, fusion } = config;
  const encoder = 'builtIn' in image ? { builtIn: image.builtIn } : { external: image.external.modelHash, levels: image.external.levels };
  const { total: parameters, ...parts } = jointParameterCount(config);
  return { ...facts, cells: config.cells, scaling, parameters, joint: { regions, mpp, fusion, encoder, parameters: parts } };
}

async function modelInfo(path: string) {
  const { cells, classes, scaling, notes, parameters, joint } = await factsOf(path);
  const { temperature, version, extraction, history, seen } = modelNotes(notes, path);
  const { bytes, sha256 } = await hashOf(path);
  const best = (of: (record: EpochRecord) => number | undefined) => {
    const found = Math.max(0, ...history.map((record) => of(record) ?? 0));
    return found > 0 ? found : null;
  };
  const count = (kind: 'patients' | 'tiles') => seen && { training: seen[kind].training.length, validation: seen[kind].validation.length };
  return {
    ...{ file: path, bytes, sha256, version: version ?? null },
    ...{ parameters, backbone: cells?.backbone ?? null, tokens: cells?.tokens ?? null, image: joint ?? null },
    ...{ classes: [...classes], temperature },
    ...{ features: [...(scaling?.names ?? [])], scaling: scaling ? { method: scaling.method, clip: scaling.clip } : null },
    extraction: extraction ?? null,
    training: {
      epochs: history.length,
      macroF1: best(({ macroF1 }) => macroF1),
      ...(joint && { dice: best(({ dice }) => dice) }),
      patients: count('patients') ?? null,
      images: count('tiles') ?? null,
      data: seen?.salt ?? null,
    },
  };
}

type Info = Awaited<ReturnType<typeof modelInfo>>;

function trainingText({ training }: Info): string {
  const parts = (counts: { training: number; validation: number } | null, what: string): string =>
    counts && counts.training + counts.validation > 0
      ? `${grouped(counts.training)} ${what} for training, ${grouped(counts.validation)} for validation`
      : '';
  const score = (name: string, value: number | null | undefined) => (value ? [`${name} ${value.toFixed(3)} on validation`] : []);
  const texts = [
    parts(training.patients, 'patients') || parts(training.images, 'images or groups of cells'),
    ...(training.epochs > 0 ? [`${training.epochs} epochs`] : []),
    ...score('macro-F1', training.macroF1),
    ...score('Dice of regions', training.dice),
  ];
  return texts.filter((text) => text !== '').join('; ') || 'unknown';
}

type Lines = (readonly [string, string])[];

function cellLines({ backbone, tokens, classes, features, extraction, temperature }: Info): Lines {
  if (!backbone || !tokens) return [];
  const some = `${features.slice(0, 4).join(', ')}${features.length > 4 ? ', ... (--features lists them)' : ''}`;
  return [
    [
      'architecture',
      `${backbone.architecture}, width ${backbone.width}, ${backbone.depth} layers, ${backbone.heads} heads, ${backbone.state} states`,
    ],
    ['tokens', tokens.kind === 'cell' ? `cell (sees ${tokens.neighbours} others within ${tokens.radius} um)` : tokens.kind],
    ['classes', classes.join(', ')],
    ['features', `${grouped(features.length)}: ${some}`],
    ['extraction', extraction ? JSON.stringify(extraction) : 'unknown: it was trained on a table'],
    ['temperature', temperature.toFixed(3)],
  ];
}

function imageLines({ image }: Info): Lines {
  if (!image) return [];
  const { encoder, fusion, regions, parameters } = image;
  const { builtIn, external } = encoder;
  const what = builtIn ? `built in, ${builtIn.channels.join('/')} channels` : `from outside: ${external}`;
  return [
    ['encoder', `${what}, ${grouped(parameters.image)} parameters`],
    ['fusion', fusion],
    ['regions', regions.join(', ')],
  ];
}

function infoText(info: Info, all: boolean): string {
  const { image, features, extraction } = info;
  const text = textList([
    ['model', info.file],
    ...cellLines(info),
    ...imageLines(info),
    ['parameters', grouped(info.parameters)],
    ['pixel size', image ? `${image.mpp} um` : pixelSize(extraction)],
    ['trained on', trainingText(info)],
    ['version', info.version ?? 'unknown'],
    ['size', `${bytesText(info.bytes)} (${grouped(info.bytes)} bytes)`],
    ['sha256', info.sha256],
  ]);
  return all ? `${text}\n${features.join('\n')}\n` : text;
}

/** At which features are measured. */
const pixelSize = (extraction: ExtractionRecipe | null): string =>
  typeof extraction?.mpp === 'number' ? `${extraction.mpp} um` : 'unknown: images are measured at their own';

async function hashOf(path: string): Promise<{ bytes: number; sha256: string }> {
  const hash = createHash('sha256');
  let bytes = 0;
  try {
    for await (const part of createReadStream(path)) {
      hash.update(part as Buffer);
      bytes += (part as Buffer).length;
    }
  } catch (error) {
    throw new UamError('UAM_INPUT', `${path}: cannot be read: ${(error as Error).message}`, { cause: error });
  }
  return { bytes, sha256: hash.digest('hex') };
}
