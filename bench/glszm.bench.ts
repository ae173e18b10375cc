import { glszm } from '../src/radiomics/glszm.js';
import { textureCase } from './nuclei_image.js';

export default [textureCase(glszm), textureCase(glszm, { binWidth: 5 })];
