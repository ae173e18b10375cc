// Writes docs/features.md from the catalogue in the code: npm run docs. A test compares the two.
import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const cell = (text) => text.replaceAll('|', '\\|');

/** The page, from `radiomics.features`. */
export function featureDocs(features) {
  const classes = new Map();
  for (const feature of features) classes.set(feature.class, [...(classes.get(feature.class) ?? []), feature]);
  const lines = [
    '# Features',
    '',
    '<!-- Written by `npm run docs` from the catalogue in src/radiomics; do not edit. -->',
    '',
    `${features.length} features in ${classes.size} classes; the ${features.filter((f) => f.default).length} that PyRadiomics computes are`,
    'computed where nothing is said, the others when their class or name is asked for (`all` asks for all that are not deprecated).',
    'Columns are named `<channel>_<image type>_<class>_<feature>`, without the channel where it is grey and without the image type where',
    'it is the image itself. Lengths are in micrometres where the pixel size is known, else in pixels. `intensity` is the unit of the',
    'channel: 0 to 255 for 8-bit grey and colours; for stains optical density, scaled so that 255 is full absorption. Texture features',
    'are of grey levels (`binWidth`), numbered from 1. `p` is a share, `eps` 2.2e-16.',
  ];
  for (const [name, list] of classes) {
    const [{ source, perChannel }] = list;
    lines.push('', `## ${name}`, '', `Source: ${source}.${perChannel ? ' A column for each channel and image type.' : ''}`, '');
    lines.push('| feature | unit | definition |', '|---|---|---|');
    for (const { feature, unit, definition, deprecated } of list) {
      lines.push(`| ${feature} | ${cell(unit)} | ${cell(definition)}${deprecated ? ' *(deprecated: computed when named)*' : ''} |`);
    }
  }
  return `${lines.join('\n')}\n`;
}

if (process.argv[1] && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const { radiomics } = createRequire(import.meta.url)('../dist/cjs/index.js');
  writeFileSync(new URL('../docs/features.md', import.meta.url), featureDocs(radiomics.features));
}
