// The flags of `uam features`, checked and turned into what is to be done.
import { UamError } from '../errors.js';
import { didYouMean } from '../radiomics/near_names.js';
import type { FeatureChoice, Parameters } from '../radiomics/parameter_file.js';
import type { CatalogueEntry, Engine, ExtractionRequest } from './engine.js';
import type { LogFormat } from './log.js';

/** As commander gives them: texts, and true for what stands without a value. */
export interface FeatureFlags {
  image?: string;
  mask?: string;
  out?: string;
  settings?: string;
  channels?: string;
  features?: string;
  mpp?: string;
  threads?: string;
  stains?: string;
  standard?: string;
  block?: string;
  logFormat?: string;
  segment?: boolean;
  json?: boolean;
  keepGoing?: boolean;
  list?: boolean;
  quiet?: boolean;
}

const CHANNELS: Readonly<Record<string, string>> = Object.freeze({
  grey: 'grey',
  gray: 'grey',
  r: 'r',
  red: 'r',
  g: 'g',
  green: 'g',
  b: 'b',
  blue: 'b',
  h: 'haematoxylin',
  haematoxylin: 'haematoxylin',
  hematoxylin: 'haematoxylin',
  e: 'eosin',
  eosin: 'eosin',
});

/** A flag's text as a number. */
export function numberFlag(flag: string, text: string | undefined, kind: 'whole' | 'above 0'): number | undefined {
  if (text === undefined) return undefined;
  const value = text.trim() === '' ? Number.NaN : Number(text);
  const good = kind === 'whole' ? Number.isSafeInteger(value) && value >= 1 : Number.isFinite(value) && value > 0;
  if (good) return value;
  throw new UamError(
    'UAM_ARGUMENT',
    `--${flag} must be ${kind === 'whole' ? 'a whole number of at least 1' : 'a number above 0'}, received '${text}'`,
  );
}

/** A flag that takes one of a few words. */
export function wordFlag<T extends string>(flag: string, text: string | undefined, words: readonly T[]): T | undefined {
  if (text === undefined || (words as readonly string[]).includes(text)) return text as T | undefined;
  throw new UamError('UAM_ARGUMENT', `--${flag} must be ${words.join(' or ')}, received '${text}'`);
}

export const logFormat = (flags: FeatureFlags): LogFormat => wordFlag('log-format', flags.logFormat, ['text', 'json'] as const) ?? 'text';

/** What is to be computed, from the flags and the parameter file; a flag wins over the file. */
export function requestOf(flags: FeatureFlags, parameters: Parameters | undefined, engine: Engine): ExtractionRequest {
  const standard = wordFlag('standard', flags.standard, ['pyradiomics', 'ibsi'] as const);
  return {
    settings: { ...parameters?.settings, ...(standard ? { standard } : {}) },
    imageTypes: parameters?.imageTypes ?? [{ type: 'Original', options: {}, settings: {} }],
    features: flags.features === undefined ? parameters?.features : chooseFeatures(flags.features, engine),
    channels: chooseChannels(flags.channels),
    stains: wordFlag('stains', flags.stains, ['ruifrok', 'macenko'] as const) ?? 'ruifrok',
    block: numberFlag('block', flags.block, 'whole'),
  };
}

const items = (text: string): string[] =>
  text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');

function chooseChannels(text = 'grey'): string[] {
  const written = items(text);
  if (written.length === 0) throw new UamError('UAM_ARGUMENT', '--channels must name at least one channel');
  const names = written.map((item) => {
    const name = Object.hasOwn(CHANNELS, item.toLowerCase()) ? CHANNELS[item.toLowerCase()] : undefined;
    if (name) return name;
    const known = 'grey, r, g, b, haematoxylin (h) and eosin (e)';
    throw new UamError('UAM_ARGUMENT', `--channels: there is no channel '${item}'; the channels are ${known}`);
  });
  return [...new Set(names)];
}

/** `firstorder,glcm_Contrast`: whole classes, and single features by class and name; `all` stands for every class. */
function chooseFeatures(text: string, engine: Engine): FeatureChoice {
  const known = engine.knownFeatures();
  const classes = Object.keys(known);
  const choice: FeatureChoice = {};
  for (const item of items(text)) {
    if (item === 'all') {
      for (const name of classes) choice[name] = null;
    } else if (classes.includes(item)) choice[item] = null;
    else addFeature(item, known, choice);
  }
  if (Object.keys(choice).length === 0) throw new UamError('UAM_ARGUMENT', '--features must name at least one class');
  return choice;
}

function addFeature(item: string, known: Readonly<Record<string, readonly string[]>>, choice: FeatureChoice): void {
  const owner = Object.keys(known).find((name) => item.startsWith(`${name}_`) && known[name]?.includes(item.slice(name.length + 1)));
  if (owner) {
    if (choice[owner] !== null) choice[owner] = [...new Set([...(choice[owner] ?? []), item.slice(owner.length + 1)])];
    return;
  }
  const names = Object.entries(known).flatMap(([name, features]) => [name, ...features.map((feature) => `${name}_${feature}`)]);
  const hint = didYouMean(item, names) || `the classes are ${Object.keys(known).join(', ')}`;
  throw new UamError('UAM_ARGUMENT', `--features: there is no class or feature '${item}'; ${hint} (uam features --list shows them all)`);
}

/** The catalogue as a table of text. */
export function catalogueText(entries: readonly CatalogueEntry[]): string {
  const rows = [
    ['feature', 'unit', 'default', 'definition', 'source'],
    ...entries.map((entry) => [`${entry.class}_${entry.name}`, entry.unit, entry.default ? 'yes' : 'no', entry.definition, entry.source]),
  ];
  const widths = [0, 1, 2].map((j) => Math.max(...rows.map((row) => (row[j] as string).length)));
  const line = (row: readonly string[]): string =>
    `${widths.map((width, j) => (row[j] as string).padEnd(width)).join('  ')}  ${row[3]}  [${row[4]}]\n`;
  return rows.map(line).join('');
}
