// docs/features.md is what the code says.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import t from 'tap';
import { packageRoot } from '../../src/native/load.js';
import { features } from '../../src/radiomics/catalogue.js';

t.test('docs/features.md holds every feature of the catalogue (npm run docs)', async (t) => {
  const script = pathToFileURL(join(packageRoot(), 'scripts/write_feature_docs.mjs')).href;
  const { featureDocs } = (await import(script)) as { featureDocs(list: typeof features): string };
  t.equal(readFileSync(join(packageRoot(), 'docs/features.md'), 'utf8'), featureDocs(features));
});

t.test('the catalogue', async (t) => {
  t.equal(features.filter((feature) => feature.default).length, 102, "PyRadiomics' default features");
  t.equal(new Set(features.map(({ name }) => name)).size, features.length, 'no name twice');
  for (const { name, unit, definition, source } of features) t.ok(unit && definition.length > 3 && source, name);
});
