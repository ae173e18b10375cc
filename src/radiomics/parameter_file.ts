// PyRadiomics' parameter files: what they say is done or refused by name, and never passed over in silence.
import { readFile } from 'node:fs/promises';
import { UamError } from '../errors.js';
import type { ImageWarning } from '../image/image.js';
import { type FeatureChoice, knownFeatures } from './catalogue.js';
import { checkImageTypes } from './image_type_choice.js';
import type { ImageTypeOptions } from './image_types.js';
import { didYouMean } from './near_names.js';
import { explain, isMap, Problems, show } from './parameter_problems.js';
import { checkSettings } from './setting_keys.js';
import type { Settings } from './settings.js';

/** The names of each class's features, deprecated ones included: what a parameter file may ask for. */
export type KnownFeatures = Readonly<Record<string, readonly string[]>>;

/** What a parameter file asks for. */
export interface Parameters {
  /** Only what the file gives: the rest has PyRadiomics' defaults. */
  settings: Partial<Settings>;
  /** In the file's order; `Original` alone where the file has none, as in PyRadiomics. */
  imageTypes: ImageTypeOptions;
  /** Absent where the file has none: then the default features are computed. */
  features?: FeatureChoice;
  /** Things that are accepted, but mean less here than in PyRadiomics. */
  warnings: ImageWarning[];
}

/**
 * Reads a PyRadiomics parameter file (YAML or JSON) with the keys `setting`, `imageType` and `featureClass`.
 *
 * @param path the file
 * @param known the features of each class, by which names are checked; default: those of this package
 * @throws UamError `UAM_INPUT` where it cannot be read, `UAM_FORMAT` where it is no YAML, `UAM_ARGUMENT` naming every key and value
 *   that is not supported
 * @example
 * const { rmSync, writeFileSync } = await import('node:fs');
 * const path = `/tmp/uam-${process.pid}.yaml`;
 * writeFileSync(path, 'setting: {binWidth: 10}\nfeatureClass: {firstorder: [Mean]}\n');
 * const { warnings, ...options } = await radiomics.readParameterFile(path);
 * rmSync(path);
 * const image = { width: 3, height: 2, channels: 1, data: Uint8Array.of(90, 60, 10, 120, 80, 20) };
 * const mask = { width: 3, height: 2, data: Uint32Array.of(1, 1, 0, 1, 1, 0) };
 * const table = await radiomics.extract(image, mask, options);
 * console.log(table.names, table.row(0).firstorder_Mean); // ['firstorder_Mean'] 87.5
 */
export async function readParameterFile(path: string, known: KnownFeatures = knownFeatures()): Promise<Parameters> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const reason = code === 'ENOENT' ? 'there is no such file' : code === 'EISDIR' ? 'it is a folder' : message;
    throw new UamError('UAM_INPUT', `cannot read the parameter file ${path}: ${reason}`, { cause: error });
  }
  const { parseDocument } = await import('yaml');
  const document = parseDocument(text, { prettyErrors: true });
  const [error] = document.errors;
  if (error) throw new UamError('UAM_FORMAT', `${path} is not valid YAML: ${error.message.trim()}`, { cause: error });
  let content: unknown;
  try {
    content = document.toJS();
    keepSpelling(content, document.getIn(['imageType', 'LoG', 'sigma']));
  } catch (error) {
    throw new UamError('UAM_FORMAT', `${path} is not valid YAML: ${(error as Error).message}`, { cause: error });
  }
  return checkParameters(content, known, path);
}

/** PyRadiomics names the images of LoG after sigma as Python prints it: 2.0 is not 2 there, and must not become it here. */
function keepSpelling(content: unknown, sigmas: unknown): void {
  const items = (sigmas as { items?: { value?: unknown; source?: string }[] } | undefined)?.items;
  if (!Array.isArray(items)) return;
  const texts = items.map(({ value, source }) => (Number.isInteger(value) && /[.e]/i.test(source ?? '') ? `${String(value)}.0` : value));
  (content as { imageType: { LoG: { sigma: unknown } } }).imageType.LoG.sigma = texts;
}

/**
 * As `readParameterFile`, from an object of the same form.
 *
 * @param content `{ setting?, imageType?, featureClass? }`
 * @param known the features of each class; default: those of this package
 * @param name what to call it in messages
 * @throws UamError `UAM_ARGUMENT` naming every key and value that is not supported
 * @example
 * const { settings, imageTypes } = radiomics.checkParameters({ setting: { binWidth: 10 }, imageType: { LoG: { sigma: [2] } } });
 */
export function checkParameters(content: unknown, known: KnownFeatures = knownFeatures(), name = 'parameters'): Parameters {
  const problems = new Problems(name);
  const warnings: ImageWarning[] = [];
  const root = content ?? {};
  if (!isMap(root)) {
    throw new UamError('UAM_ARGUMENT', `${name} must be a map with setting, imageType and featureClass, received ${show(root)}`);
  }
  for (const key of Object.keys(root))
    if (!(key in sections)) problems.add(key, sectionHint(key), 'Supported sections: setting, imageType, featureClass.');
  if ('voxelSetting' in root) problems.add('voxelSetting', 'features are computed per cell, not per pixel');
  const settings = checkSettings(root['setting'], problems, warnings, name);
  const imageTypes = checkImageTypes(root['imageType'], problems);
  const features = checkFeatures(root['featureClass'], known, problems);
  problems.throwAny();
  return { settings, imageTypes, ...(features ? { features } : {}), warnings };
}

const sections = Object.freeze({ setting: true, imageType: true, featureClass: true, voxelSetting: true });

const sectionHint = (key: string): string => explain('unknown', didYouMean(key, ['setting', 'imageType', 'featureClass']));

function checkFeatures(value: unknown, known: KnownFeatures, problems: Problems): FeatureChoice | undefined {
  if (value === undefined || value === null) return undefined;
  if (!isMap(value)) {
    problems.add('featureClass', `must be a map of classes, received ${show(value)}`);
    return undefined;
  }
  const choice: Record<string, readonly string[] | null> = {};
  for (const [name, wanted] of Object.entries(value)) {
    const where = `featureClass.${name}`;
    const features = Object.hasOwn(known, name) ? known[name] : undefined;
    if (!features) problems.add(where, classHint(name, known));
    else if (wanted === null || (Array.isArray(wanted) && wanted.length === 0)) choice[name] = null;
    else if (!Array.isArray(wanted)) problems.add(where, `must be a list of features, or empty for all of them, received ${show(wanted)}`);
    else choice[name] = checkNames(where, wanted, features, problems);
  }
  return Object.keys(value).length === 0 ? undefined : choice;
}

function classHint(name: string, known: KnownFeatures): string {
  if (name === 'shape') return 'the 3-D shape features do not exist for a 2-D image; use shape2D';
  const classes = Object.keys(known);
  return explain('unknown', didYouMean(name, classes) || `the classes are ${classes.join(', ')}`);
}

function checkNames(where: string, wanted: readonly unknown[], features: readonly string[], problems: Problems): string[] {
  const names = new Set<string>();
  for (const name of wanted) {
    if (typeof name === 'string' && features.includes(name)) names.add(name);
    else if (typeof name !== 'string') problems.add(where, `must be a list of names, received ${show(name)} in it`);
    else problems.add(where, explain(`there is no feature '${name}'`, didYouMean(name, features)));
  }
  return [...names];
}
