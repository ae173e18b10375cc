// The flags of `uam features`, checked and turned into what is to be done.
import { UamError } from '../errors.js';
import { checkChoice, chooseFeatures, type FeatureInfo } from '../radiomics/catalogue.js';
import { CHANNELS } from '../radiomics/channels.js';
import type { ExtractOptions } from '../radiomics/extract_options.js';
import type { Parameters } from '../radiomics/parameter_file.js';
import type { CommonFlags } from './command.js';
import type { DeviceFlags } from './device_flag.js';
import { items, numberFlag, wordFlag } from './flag_values.js';

/** As commander gives them: texts, and true for what stands without a value. */
export interface FeatureFlags extends CommonFlags, DeviceFlags {
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
  ring?: string;
  segment?: boolean;
  json?: boolean;
  keepGoing?: boolean;
  list?: boolean;
}

/** Other spellings of the channels. */
const SHORT: Readonly<Record<string, string>> = Object.freeze({
  gray: 'grey',
  red: 'r',
  green: 'g',
  blue: 'b',
  h: 'haematoxylin',
  hematoxylin: 'haematoxylin',
  e: 'eosin',
});

/** What is to be computed, from the flags and the parameter file; a flag wins over the file. */
export function extractOptions(flags: FeatureFlags, parameters: Parameters | undefined): ExtractOptions {
  const standard = wordFlag('standard', flags.standard, ['pyradiomics', 'ibsi'] as const);
  const stains = wordFlag('stains', flags.stains, ['ruifrok', 'macenko'] as const);
  const blockSize = numberFlag('block', flags.block, 'whole');
  const ringWidth = numberFlag('ring', flags.ring, 'above 0');
  const features = flags.features === undefined ? parameters?.features : chosenFeatures(flags.features);
  return {
    settings: { ...parameters?.settings, ...(standard && { standard }) },
    channels: chosenChannels(flags.channels),
    ...(parameters && { imageTypes: parameters.imageTypes }),
    ...(features && { features }),
    ...(stains && { stains }),
    ...(blockSize !== undefined && { blockSize }),
    ...(ringWidth !== undefined && { ringWidth }),
  };
}

/** The channels that a list names, short names among them. */
export function chosenChannels(text = 'grey'): string[] {
  const names = items(text).map((item) => {
    const name = item.toLowerCase();
    const channel = Object.hasOwn(SHORT, name) ? (SHORT[name] as string) : name;
    if ((CHANNELS as readonly string[]).includes(channel)) return channel;
    throw new UamError('UAM_ARGUMENT', `--channels: there is no channel '${item}'; the channels are ${CHANNELS.join(', ')} (or h, e)`);
  });
  if (names.length === 0) throw new UamError('UAM_ARGUMENT', '--channels must name at least one channel');
  return [...new Set(names)];
}

/** The classes and features that a list names. */
export function chosenFeatures(text: string): NonNullable<ExtractOptions['features']> {
  try {
    const choice = chooseFeatures(items(text));
    if (Object.keys(choice).length === 0) throw new UamError('UAM_ARGUMENT', 'at least one class or feature must be named');
    checkChoice(choice);
    return choice;
  } catch (error) {
    if (!(error instanceof UamError)) throw error;
    throw new UamError(error.code, `--features: ${error.message} (uam features --list shows them all)`, { cause: error });
  }
}

/** The catalogue as a table of text. */
export function catalogueText(entries: readonly FeatureInfo[]): string {
  const rows = [
    ['feature', 'unit', 'default', 'definition', 'source'],
    ...entries.map((entry) => [entry.name, entry.unit, entry.default ? 'yes' : 'no', entry.definition, entry.source]),
  ];
  const widths = [0, 1, 2].map((j) => Math.max(...rows.map((row) => (row[j] as string).length)));
  const line = (row: readonly string[]): string =>
    `${widths.map((width, j) => (row[j] as string).padEnd(width)).join('  ')}  ${row[3]}  [${row[4]}]\n`;
  return rows.map(line).join('');
}
