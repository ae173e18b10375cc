import { gldm } from '../src/radiomics/gldm.js';
import { textureCase } from './nuclei_image.js';

export default [textureCase(gldm), textureCase(gldm, { binWidth: 5 })];
