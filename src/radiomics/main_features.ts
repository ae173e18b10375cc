// The features whose means over the cells around a cell are told: size, form, brightness and disorder.

/** Of the mask. */
export const MAIN_SHAPES: readonly string[] = Object.freeze(['shape2D_PixelSurface', 'shape2D_Elongation', 'shape2D_Sphericity']);

/** Of each channel as it is. */
export const MAIN_TEXTURES: readonly string[] = Object.freeze(['firstorder_Mean', 'firstorder_Variance', 'firstorder_Entropy']);
