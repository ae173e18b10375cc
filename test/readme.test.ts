// The README's example is run as it stands, through the package's own name: import resolves to dist/.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { packageRoot } from '../src/native/load.js';
import { runModule } from './support/child.js';

const root = packageRoot();
const readme = readFileSync(join(root, 'README.md'), 'utf8');

t.test('the example', async (t) => {
  const code = readme.match(/```js\n([\s\S]*?)```/)?.[1] ?? '';
  const { stdout, stderr } = runModule(code, { UAM_ADDON: undefined });
  const [loss, ...dx] = stdout.match(/-?[\d.]+(e-?\d+)?/g)?.map(Number) ?? [];
  const f = (x: number) => x / (1 + Math.exp(-x));
  const slope = (x: number) => (f(x + 1e-5) - f(x - 1e-5)) / 2e-5;
  t.equal(stderr, '');
  t.ok(Math.abs((loss ?? Number.NaN) - (f(-1) + f(0) + f(2))) < 1e-6, stdout);
  for (const [i, x] of [-1, 0, 2].entries()) t.ok(Math.abs((dx[i] ?? Number.NaN) - slope(x)) < 1e-6, stdout);
});

t.test('commands and settings that it names exist', async (t) => {
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const docs = readme + readFileSync(join(root, 'CONTRIBUTING.md'), 'utf8');
  for (const [, name = ''] of docs.matchAll(/`npm run ([\w:]+)/g)) t.ok(scripts[name], `npm run ${name}`);
});
