import { UamError } from '../errors.js';
import { SHAPE_CLASSES, TEXTURE_CLASSES } from './classes.js';
import type { FeatureDefinition, FeatureUnit } from './feature_class.js';
import { MAIN_SHAPES, MAIN_TEXTURES } from './main_features.js';
import { didYouMean } from './near_names.js';
import { neighbourhoodFeatures } from './neighbourhood.js';
import { RING_CLASSES, RING_DIFFERENCES } from './ring.js';

/** Where a class of features looks. */
export type FeatureRegion = 'mask' | 'cell' | 'ring' | 'neighbourhood';

/** One feature that can be computed. */
export interface FeatureInfo {
  /** The column's name without channel and image type: `glcm_Contrast`. */
  name: string;
  /** The class: `glcm`. */
  class: string;
  /** The feature's own name: `Contrast`. */
  feature: string;
  /** `um` stands for pixels where the pixel size is unknown; `intensity` for the unit of the channel. */
  unit: FeatureUnit;
  definition: string;
  /** The tool or paper that defines it. */
  source: string;
  /** Whether it is computed where nothing is said: PyRadiomics' 102. */
  default: boolean;
  /** PyRadiomics keeps it for old studies; it equals another. */
  deprecated: boolean;
  /** Whether there is a column for each channel and image type. */
  perChannel: boolean;
}

interface ClassInfo {
  name: string;
  region: FeatureRegion;
  source: string;
  features: readonly FeatureDefinition[];
  default: boolean;
  perChannel: boolean;
}

/** PyRadiomics' default classes: what is computed where nothing is said. */
const PYRADIOMICS = Object.freeze(['firstorder', 'shape2D', 'glcm', 'glrlm', 'glszm', 'ngtdm', 'gldm']);

/** Every class, in the order of the columns. */
export function featureClasses(): readonly ClassInfo[] {
  const of = (
    list: readonly { name: string; source: string; features: readonly FeatureDefinition[] }[],
    region: FeatureRegion,
  ): ClassInfo[] =>
    list.map(({ name, source, features }) => ({
      ...{ name, source, features, region },
      default: PYRADIOMICS.includes(name),
      perChannel: region === 'cell' || region === 'ring',
    }));
  return [
    ...of(SHAPE_CLASSES, 'mask'),
    ...of(TEXTURE_CLASSES, 'cell'),
    ...of(ringClasses(), 'ring'),
    ...of([{ name: 'neighbourhood', source: 'see the definitions', features: neighbourhoodDefinitions() }], 'neighbourhood'),
  ];
}

/** First-order and GLCM features of the ring about a nucleus, and the nucleus minus them. */
function ringClasses(): { name: string; source: string; features: readonly FeatureDefinition[] }[] {
  const source = 'HistomicsTK (Cytoplasm.*): a ring about the nucleus that enters no other nucleus; features as of the class of that name';
  const rings = Object.entries(RING_CLASSES).map(([name, of]) => ({ name, source, features: texture(of).features }));
  const differences = RING_DIFFERENCES.map((name): FeatureDefinition => {
    const [of = '', feature] = name.split('_');
    const { unit = '1' } = texture(of).features.find((entry) => entry.name === feature) ?? {};
    return { name, unit, definition: `${name} of the nucleus minus that of its ring` };
  });
  return [...rings, { name: 'ring_difference', source, features: differences }];
}

const texture = (name: string) => TEXTURE_CLASSES.find((entry) => entry.name === name) as (typeof TEXTURE_CLASSES)[number];

function neighbourhoodDefinitions(): FeatureDefinition[] {
  const averaged = [
    ...MAIN_SHAPES.map((name) => ({ name, unit: unitOf(SHAPE_CLASSES, name) })),
    ...MAIN_TEXTURES.map((name) => ({ name, unit: unitOf(TEXTURE_CLASSES, name) })),
  ];
  return neighbourhoodFeatures(averaged).map(({ name, unit, definition, source }) => ({
    name: name.slice('neighbourhood_'.length),
    unit: unit as FeatureUnit,
    definition: `${definition} (${source})`,
  }));
}

function unitOf(classes: readonly { name: string; features: readonly FeatureDefinition[] }[], name: string): FeatureUnit {
  const [of, feature] = name.split('_');
  return classes.find((entry) => entry.name === of)?.features.find((entry) => entry.name === feature)?.unit ?? '1';
}

function catalogue(): FeatureInfo[] {
  return featureClasses().flatMap(({ name, source, features, default: isDefault, perChannel }) =>
    features.map((feature) => ({
      name: `${name}_${feature.name}`,
      class: name,
      feature: feature.name,
      unit: feature.unit,
      definition: feature.definition,
      source,
      default: isDefault && !feature.deprecated,
      deprecated: feature.deprecated ?? false,
      perChannel,
    })),
  );
}

/** Every feature that can be computed, in the order of the columns. */
export const features: readonly FeatureInfo[] = Object.freeze(catalogue());

/** Classes with their chosen features; `null` chooses all that are not deprecated. */
export type FeatureChoice = Readonly<Record<string, readonly string[] | null>>;

/**
 * The names of each class's features, deprecated ones included.
 *
 * @example
 * const { glcm, ngtdm } = radiomics.knownFeatures(); // ngtdm: Busyness, Coarseness, Complexity, Contrast, Strength
 */
export function knownFeatures(): Record<string, string[]> {
  return Object.fromEntries(featureClasses().map(({ name, features }) => [name, features.map((feature) => feature.name)]));
}

/** A list of classes (`glcm`), features (`glcm_Contrast`), `default` and `all`, as a choice by class. */
export function chooseFeatures(names: readonly string[]): FeatureChoice {
  const choice: Record<string, string[] | null> = {};
  const classes = featureClasses();
  for (const name of names) {
    const whole = classes.filter((entry) => name === 'all' || name === entry.name || (name === 'default' && entry.default));
    for (const entry of whole) choice[entry.name] = null;
    if (whole.length > 0) continue;
    const info = features.find((feature) => feature.name === name);
    if (!info) throw unknownFeature(name);
    if (choice[info.class] !== null) choice[info.class] = [...(choice[info.class] ?? []), info.feature];
  }
  return choice;
}

/** Checks the names of a choice. */
export function checkChoice(choice: FeatureChoice): void {
  const known = knownFeatures();
  for (const [name, wanted] of Object.entries(choice)) {
    const of = Object.hasOwn(known, name) ? known[name] : undefined;
    if (!of) throw unknownFeature(name);
    for (const feature of wanted ?? []) if (!of.includes(feature)) throw unknownFeature(`${name}_${feature}`);
  }
}

function unknownFeature(name: string): UamError {
  const hint = didYouMean(name, [...Object.keys(knownFeatures()), ...features.map((feature) => feature.name)]);
  return new UamError('UAM_ARGUMENT', `there is no class or feature '${name}'; ${hint || 'radiomics.features lists them all'}`);
}
