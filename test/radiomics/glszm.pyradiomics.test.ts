import { testClass } from '../support/radiomics_spec.js';

testClass('glszm');
