// `uam info`: what a model's file says about it.
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import type { Command } from 'commander';
import { UamError } from '../errors.js';
import { classifierParameterCount } from '../heads/cell_classifier.js';
import { readModelFile } from '../heads/model_file.js';
import { modelNotes } from '../train/model_notes.js';
import type { ExtractionRecipe } from '../train/recipe.js';
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

async function modelInfo(path: string) {
  const { config, classes, scaling, notes } = await readModelFile(path);
  const { temperature, version, extraction, history, seen } = modelNotes(notes, path);
  const { bytes, sha256 } = await hashOf(path);
  const best = history.reduce((found, { macroF1 = 0 }) => Math.max(found, macroF1), 0);
  const count = (kind: 'patients' | 'tiles') => seen && { training: seen[kind].training.length, validation: seen[kind].validation.length };
  return {
    ...{ file: path, bytes, sha256, version: version ?? null },
    ...{ parameters: classifierParameterCount(config).total, backbone: config.backbone, tokens: config.tokens },
    ...{ classes: [...classes], temperature },
    ...{ features: [...scaling.names], scaling: { method: scaling.method, clip: scaling.clip } },
    extraction: extraction ?? null,
    training: {
      epochs: history.length,
      macroF1: best > 0 ? best : null,
      patients: count('patients') ?? null,
      images: count('tiles') ?? null,
      data: seen?.salt ?? null,
    },
  };
}

function infoText(info: Awaited<ReturnType<typeof modelInfo>>, all: boolean): string {
  const { backbone, tokens, classes, features, training, extraction, temperature } = info;
  const parts = (counts: { training: number; validation: number } | null, what: string): string =>
    counts && counts.training + counts.validation > 0
      ? `${grouped(counts.training)} ${what} for training, ${grouped(counts.validation)} for validation`
      : '';
  const trained = [
    parts(training.patients, 'patients') || parts(training.images, 'images or groups of cells'),
    ...(training.epochs > 0 ? [`${training.epochs} epochs`] : []),
    ...(training.macroF1 === null ? [] : [`macro-F1 ${training.macroF1.toFixed(3)} on validation`]),
  ].filter((text) => text !== '');
  const some = `${features.slice(0, 4).join(', ')}${features.length > 4 ? ', ... (--features lists them)' : ''}`;
  const text = textList([
    ['model', info.file],
    [
      'architecture',
      `${backbone.architecture}, width ${backbone.width}, ${backbone.depth} layers, ${backbone.heads} heads, ${backbone.state} states`,
    ],
    ['tokens', tokens.kind === 'cell' ? `cell (sees ${tokens.neighbours} others within ${tokens.radius} um)` : tokens.kind],
    ['parameters', grouped(info.parameters)],
    ['classes', classes.join(', ')],
    ['features', `${grouped(features.length)}: ${some}`],
    ['extraction', extraction ? JSON.stringify(extraction) : 'unknown: it was trained on a table'],
    ['pixel size', pixelSize(extraction)],
    ['temperature', temperature.toFixed(3)],
    ['trained on', trained.join('; ') || 'unknown'],
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
