// Files to images and label masks.
export type { FileInput } from './byte_source.js';
export { estimateStains, type MacenkoOptions } from './estimate_stains.js';
export { gaussianBlur, gaussianBlurAsync } from './gaussian_blur.js';
export { channelPlane, greyPlane } from './grey.js';
export type { ImageWarning, LabelMask, Plane, RasterImage } from './image.js';
export { encodeNpy, type NpyArray, readNpy, writeNpy } from './npy.js';
export type { NumericArray } from './numeric_array.js';
export { type ImageLevel, type OpenedImage, type OpenImageOptions, openImage, type ReadRegion } from './open_image.js';
export { openPyramidTiff, type PyramidTiff, type PyramidTiffOptions } from './pyramid_tiff.js';
export { type ReadImageOptions, readImage } from './read_image.js';
export { type ReadMaskOptions, readMask } from './read_mask.js';
export { checkSameSize } from './same_size.js';
export { type Stain, type StainChoice, type StainOptions, type StainPlanes, stainPlanes, stainPlanesAsync } from './stains.js';
export type { Region } from './tiff_read.js';
export { encodeMask, writeMask } from './write_mask.js';
