import { existsSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { packageRoot } from '../src/native/load.js';
import { onBackend, testBackends } from './support/backends.js';
import { openFixture, openFolder, runCase, type VectorFolder } from './support/vectors.js';

const fixtureOf = (name: string) => join(packageRoot(), 'test', 'fixtures', `${name}.vectors.json.gz`);
const folderOf = (name: string) => join(packageRoot(), '..', 'shared', 'vectors', name);
const fixture = fixtureOf('ops');

function runAll(t: Tap, vectors: VectorFolder): void {
  for (const backend of testBackends()) {
    const failures = onBackend(backend, 2, () =>
      vectors.cases.map((vectorCase) => runCase(vectors, vectorCase)).filter((result) => !result.passed),
    );
    t.same(
      failures.map(({ id, message }) => `${id}: ${message}`),
      [],
      `${vectors.cases.length} cases on ${backend.name}`,
    );
  }
}

type Tap = typeof t;

for (const name of ['ops', 'uam']) {
  t.test(`the vectors of ${name} in test/fixtures, on every backend and instruction set`, async (t) =>
    runAll(t as Tap, openFixture(fixtureOf(name))),
  );

  t.test(
    `the whole vectors of ${name}`,
    { skip: existsSync(folderOf(name)) ? false : `../shared/vectors/${name} is absent: only the fixtures were run` },
    async (t) => runAll(t as Tap, openFolder(folderOf(name))),
  );
}

t.test('an unknown op fails, and so does a wrong number', async (t) => {
  const vectors = openFixture(fixture);
  const [first] = vectors.cases.filter(({ op }) => op === 'silu');
  if (!first) throw new Error('the fixture has no silu case');
  t.notOk(runCase(vectors, { ...first, op: 'no such op' }).passed);
  t.notOk(runCase(vectors, { ...first, op: 'sigmoid' }).passed);
  t.notOk(
    runCase(
      { ...vectors, read: (entry) => ({ ...vectors.read(entry), data: vectors.read(entry).data.map((v) => v + 1e-4) as Float32Array }) },
      first,
    ).passed,
  );
});
