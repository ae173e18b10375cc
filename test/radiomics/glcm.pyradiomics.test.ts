import { testClass } from '../support/radiomics_spec.js';

testClass('glcm', { loose: ['MCC', 'Imc2'] });
