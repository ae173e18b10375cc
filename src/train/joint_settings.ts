// What a training run of a joint model can be told beside what every run can: sections 5 and 6 of the specification.
import { mismatch } from '../errors.js';
import { type FitOptions, type FitSettings, fitSettings } from './fit_options.js';
import type { JointDataset } from './joint_dataset.js';

export interface JointSettings extends FitSettings {
  /**
   * Side of the windows that are cut from images for a step, in pixels, a multiple of 32; images that are no longer stay whole. Default
   * 512.
   */
  crop: number;
  /** How far stains change from step to step, in shares and optical densities; 0: not at all. Default 0.03. */
  stain: number;
  /** Keeps only what goes into each block and computes the rest again for the gradients: less memory, more time. Default true. */
  recompute: boolean;
}

export interface JointFitOptions extends Omit<FitOptions, 'validation' | 'tokenBudget'> {
  crop?: number;
  stain?: number;
  recompute?: boolean;
  /** As in `FitOptions`. */
  validation?: JointDataset | number;
}

/** @throws UamError `UAM_ARGUMENT` for unknown options and values that cannot be */
export function jointSettings(options: JointFitOptions, width: number, modelSeed: number): JointSettings {
  const { crop = 512, stain = options.augment === false ? 0 : 0.03, recompute = true, ...others } = options;
  if (!(Number.isInteger(crop) && crop >= 32 && crop <= 4096 && crop % 32 === 0)) {
    throw mismatch('UAM_ARGUMENT', 'fit: crop', 'a multiple of 32 from 32 to 4096 pixels', String(crop));
  }
  if (!(stain >= 0 && stain <= 1)) throw mismatch('UAM_ARGUMENT', 'fit: stain', 'a number from 0 to 1', String(stain));
  if (typeof recompute !== 'boolean') throw mismatch('UAM_ARGUMENT', 'fit: recompute', 'true or false', String(recompute));
  const known = fitSettings(others as FitOptions, width, true, modelSeed);
  return { ...known, crop, stain, recompute };
}
