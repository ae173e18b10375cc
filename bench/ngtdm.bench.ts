import { ngtdm } from '../src/radiomics/ngtdm.js';
import { textureCase } from './nuclei_image.js';

export default [textureCase(ngtdm), textureCase(ngtdm, { binWidth: 5 })];
