import type { ShapeClass, TextureClass } from './feature_class.js';
import { firstorder } from './firstorder.js';
import { glcm } from './glcm.js';
import { gldm } from './gldm.js';
import { glrlm } from './glrlm.js';
import { glszm } from './glszm.js';
import { gradient } from './gradient.js';
import { morphology } from './morphology.js';
import { ngtdm } from './ngtdm.js';
import { shape2d } from './shape2d.js';

/** The classes that read one channel: PyRadiomics' in its order, then ours. */
// biome-ignore lint/suspicious/noExplicitAny: each class has parameters of its own; params() makes them and kernel takes them
export const TEXTURE_CLASSES: readonly TextureClass<any>[] = [firstorder, glcm, glrlm, glszm, ngtdm, gldm, gradient];

/** The classes that read the mask alone. */
// biome-ignore lint/suspicious/noExplicitAny: as above
export const SHAPE_CLASSES: readonly ShapeClass<any>[] = [shape2d, morphology];
