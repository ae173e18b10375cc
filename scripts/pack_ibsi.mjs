// Packs the digital phantom of the Image Biomarker Standardisation Initiative and its consensus values into test/fixtures/ibsi.json.gz:
//   node scripts/pack_ibsi.mjs ../shared/vectors/ibsi
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

const [folder] = process.argv.slice(2);
if (!folder) throw new Error('usage: node scripts/pack_ibsi.mjs <folder>');
const json = (name) => JSON.parse(readFileSync(join(folder, name), 'utf8'));

const { source, image, mask } = json('phantom.json');
const features = json('reference_digital_phantom.json').features.map(({ tag, aggregation, value }) => ({ tag, aggregation, value }));
const origin = {
  source,
  licence: 'CC BY 4.0',
  credit: 'A. Zwanenburg et al., The Image Biomarker Standardization Initiative, Radiology 2020;295:328-338',
};
writeFileSync('test/fixtures/ibsi.json.gz', gzipSync(JSON.stringify({ origin, image, mask, features }), { level: 9 }));
console.log(`${features.length} values`);
