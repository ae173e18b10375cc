import type { ShapeClass, TextureClass } from './feature_class.js';
import { firstorder } from './firstorder.js';
import { morphology } from './morphology.js';
import { shape2d } from './shape2d.js';

/** The classes of PyRadiomics that read one channel, in PyRadiomics' order. */
// biome-ignore lint/suspicious/noExplicitAny: each class has parameters of its own; params() makes them and kernel takes them
export const TEXTURE_CLASSES: readonly TextureClass<any>[] = [firstorder];

/** The classes that read the mask alone. */
// biome-ignore lint/suspicious/noExplicitAny: as above
export const SHAPE_CLASSES: readonly ShapeClass<any>[] = [shape2d, morphology];
