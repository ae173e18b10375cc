// The classes of PyRadiomics that read one channel, all in one call: what most of them spend most of their time on, gathering the
// pixels of each cell, is then done once.
import { UamError } from '../errors.js';
import { hostKernel } from '../native/call.js';
import type { TextureClass } from './feature_class.js';
import { firstorder } from './firstorder.js';
import { glcm } from './glcm.js';
import { gldm } from './gldm.js';
import { glrlm } from './glrlm.js';
import { glszm } from './glszm.js';
import { ngtdm } from './ngtdm.js';
import type { RoiInput } from './roi.js';
import type { Settings } from './settings.js';

/** The classes that the kernel knows, in the order of its columns. */
// biome-ignore lint/suspicious/noExplicitAny: each class has parameters of its own; the kernel takes those of all of them
export const JOINT_CLASSES: readonly TextureClass<any>[] = Object.freeze([firstorder, glcm, glrlm, glszm, ngtdm, gldm]);

/** The settings of each class under the names of its own kernel, and a flag with each class's name: whether to compute it. */
export interface TextureParams extends RoiInput {
  [setting: string]: unknown;
  /** Of the classes that are asked for, all together. */
  columns: number;
  /** `[rois, columns]`: the rows of the classes side by side. */
  out: Float64Array;
}

function reference(p: TextureParams): void {
  const asked = JOINT_CLASSES.filter(({ name }) => p[name]);
  const columns = asked.reduce((sum, { features }) => sum + features.length, 0);
  if (p.columns !== columns) throw new UamError('UAM_SHAPE', `columns must be the ${columns} of the classes that are asked for`);
  let start = 0;
  for (const { kernel, features } of asked) {
    const out = new Float64Array(p.rois * features.length);
    kernel.reference({ ...p, out });
    for (let r = 0; r < p.rois; r++) p.out.set(out.subarray(r * features.length, (r + 1) * features.length), r * columns + start);
    start += features.length;
  }
}

export const textureKernel = hostKernel('texture', reference);

/** The parameters for some of the joint classes, which must stand in their order. */
export function textureParams(
  // biome-ignore lint/suspicious/noExplicitAny: as above
  classes: readonly TextureClass<any>[],
  input: RoiInput,
  settings: Settings,
  spacing: readonly [number, number],
): TextureParams {
  const columns = classes.reduce((sum, { features }) => sum + features.length, 0);
  const out = new Float64Array(input.rois * columns);
  const own = classes.map((entry) => entry.params(input, settings, spacing, out));
  const flags = JOINT_CLASSES.map((entry) => [entry.name, classes.includes(entry)]);
  return Object.assign({ ...textureDefaults, ...input }, ...own, Object.fromEntries(flags), { columns, out });
}

/** For the settings of classes that are not asked for: the contract wants every one. */
const textureDefaults = Object.freeze({
  ...{ shift: 0, pixelArea: 1, excessKurtosis: false },
  ...{ distanceCount: 0, distances: new Int32Array(0) },
  ...{ symmetrical: false, weighting: 0, spacingX: 1, spacingY: 1 },
  ...{ skipIsolated: false, alpha: 0 },
});
