// Writes docs/features.md from the catalogue in the code: npm run docs (after npm run build:ts). `--check` only compares.
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const { radiomics } = createRequire(import.meta.url)('../dist/cjs/index.js');
const path = new URL('../docs/features.md', import.meta.url);
const cell = (text) => text.replaceAll('|', '\\|');

const classes = Map.groupBy ? Map.groupBy(radiomics.features, ({ class: name }) => name) : groups(radiomics.features);

function groups(features) {
  const map = new Map();
  for (const feature of features) map.set(feature.class, [...(map.get(feature.class) ?? []), feature]);
  return map;
}

const lines = [
  '# Features',
  '',
  '<!-- Written by `npm run docs` from the catalogue in src/radiomics; do not edit. -->',
  '',
  `${radiomics.features.length} features in ${classes.size} classes; ${radiomics.features.filter((f) => f.default).length} are computed where`,
  'nothing is said. Columns are named `<channel>_<image type>_<class>_<feature>`, without the channel where it is grey and without the',
  'image type where it is the image itself. Lengths are in micrometres where the pixel size is known, else in pixels. `intensity` is the',
  'unit of the channel: 0 to 255 for 8-bit grey and colours, and for stains optical density scaled so that 255 is full absorption.',
];
for (const [name, features] of classes) {
  const [first] = features;
  lines.push('', `## ${name}`, '', `${first.source}.${first.perChannel ? ' One column per channel and image type.' : ''}`, '');
  lines.push('| feature | unit | definition |', '|---|---|---|');
  for (const { feature, unit, definition, deprecated } of features) {
    lines.push(`| ${feature} | ${cell(unit)} | ${cell(definition)}${deprecated ? ' *(deprecated: computed when named)*' : ''} |`);
  }
}
const text = `${lines.join('\n')}\n`;
if (process.argv.includes('--check')) {
  if (readFileSync(path, 'utf8') !== text) throw new Error('docs/features.md is not what the code says: npm run docs');
} else writeFileSync(path, text);
