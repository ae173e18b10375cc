import { glcm } from '../src/radiomics/glcm.js';
import { textureCase } from './nuclei_image.js';

export default [textureCase(glcm), textureCase(glcm, { binWidth: 5 })];
