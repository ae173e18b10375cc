// Runs every @example of the public docstrings, and fails where an exported function or class has none.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import ts from 'typescript';
import * as uam from '../src/index.js';
import { packageRoot } from '../src/native/load.js';

const source = join(packageRoot(), 'src');

const files = readdirSync(source, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));

/** The code of every @example in a docstring, and the name of what the docstring stands before. */
function examplesIn(text: string): { name: string; code: string }[] {
  return [...text.matchAll(/\/\*\*((?:(?!\*\/)[\s\S])*?)\*\/\s*export (?:async )?(?:function\*?|const|class) (\w+)/g)].flatMap(
    ([, comment = '', name = '']) => {
      const [, code] = comment.split('@example');
      return code === undefined ? [] : [{ name, code: code.replace(/^\s*\* ?/gm, '') }];
    },
  );
}

/** What the package exports, and what its namespaces do. */
const exported: Record<string, unknown> = { ...uam, ...uam.radiomics };
const documented = new Set<string>();

for (const file of files) {
  for (const { name, code } of examplesIn(readFileSync(join(source, file), 'utf8'))) {
    if (!(name in exported)) continue; // internal: its example speaks to the reader of the code
    documented.add(name);
    t.test(`${name} (${file})`, async () => {
      const js = ts.transpileModule(`(async () => {\n${code}\n})`, { compilerOptions: { target: ts.ScriptTarget.ES2022 } }).outputText;
      const names = Object.keys(exported);
      const run = new Function(...names, `return ${js.trim().replace(/;$/, '')}`)(...names.map((key) => exported[key]));
      await run();
    });
  }
}

t.test('every exported function and class has an example', async (t) => {
  const missing = Object.entries(exported).flatMap(([name, value]) => (typeof value === 'function' && !documented.has(name) ? [name] : []));
  t.same(missing, []);
});
