// What images add to cells, and cells to regions: the same model, joined in several ways, on brca_m2c.
import type { BackboneOptions } from '../../src/uam/config.js';
import type { FusionKind } from '../../src/uam/fusion.js';
import type { EncoderSize } from '../../src/uam/image_encoder.js';
import type { Network } from './contestants.js';
import { SMALL } from './studies.js';

/** A way to join image and cells. */
export interface JointVariant extends Network {
  fusion: FusionKind;
  /** Every feature of every cell is missing: of a cell there are its place and what the image shows. */
  hidden?: true;
}

/** Where nothing is fused, cells are told without the image and regions without the cells: each alone. */
export const ALONE = 'Apart (fusion none)';
export const IMAGE_ALONE = 'Cells by the image alone';

export const VARIANTS: readonly JointVariant[] = Object.freeze([
  { name: ALONE, kind: 'network', backbone: {}, fusion: 'none' },
  { name: IMAGE_ALONE, kind: 'network', backbone: {}, fusion: 'cross', hidden: true },
  { name: 'Fusion mean', kind: 'network', backbone: {}, fusion: 'mean', uam: true },
  { name: 'Fusion cross', kind: 'network', backbone: {}, fusion: 'cross', uam: true },
] satisfies JointVariant[]);

/** What the variants have in common; a result of other settings is no result. */
export interface JointSetting {
  /** Of the cells' backbone; `small` is that of `brca_cell`. */
  size: 'small' | 'S' | 'B';
  encoder: EncoderSize;
  epochs: number;
  /** Tiles per step. */
  batch: number;
  /** Side of the windows that are learned from, in pixels. */
  crop: number;
  learningRate: number;
  patience: number;
  /** Whether the weights of the two tasks are learned. */
  uncertainty: boolean;
}

export const JOINT_SETTING: JointSetting = Object.freeze({
  ...{ size: 'S', encoder: 'S', epochs: 24, batch: 2, crop: 256, learningRate: 2e-3, patience: 24, uncertainty: false },
} as const);

export const backboneOf = ({ size }: JointSetting): BackboneOptions => (size === 'small' ? SMALL : { size });

export const JOINT_STUDY = Object.freeze({ name: 'brca_joint', title: 'brca_m2c, cells and regions together', contestants: VARIANTS });

/** What there is to know of the true regions. */
export const REGION_NOTE = 'derived from points (the class of the nearest dot or nucleus within 15 \u00b5m), no outline of a pathologist';
