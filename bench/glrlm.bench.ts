import { glrlm } from '../src/radiomics/glrlm.js';
import { textureCase } from './nuclei_image.js';

export default [textureCase(glrlm), textureCase(glrlm, { binWidth: 5 })];
