import { firstorder } from '../src/radiomics/firstorder.js';
import { textureCase } from './nuclei_image.js';

export default [textureCase(firstorder), textureCase(firstorder, { binWidth: 5 })];
