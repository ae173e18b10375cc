// Folders that appear when they are whole, and what stands in their way.
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { removeUnfinished } from '../../src/files/output_file.js';
import { ResultFolder } from '../../src/files/result_folder.js';
import { rejectsWith } from '../support/expect.js';

const root = realpathSync(mkdtempSync(join(tmpdir(), 'uam-folders-')));
t.teardown(() => rmSync(root, { recursive: true, force: true }));
const at = (...names: string[]) => join(root, ...names);
const read = (...names: string[]) => readFileSync(at(...names), 'utf8');
t.afterEach(() => {
  for (const name of readdirSync(root)) rmSync(at(name), { recursive: true });
});

const named = { maker: 'a test', freshName: false };
const fresh = { maker: 'a test', freshName: true };

/** A whole folder with one file in it and one deeper. */
async function make(out: string, text: string, options = named): Promise<string> {
  const folder = await ResultFolder.begin(out, options);
  await folder.writeText('a.txt', text);
  await folder.writeText('deep/b.txt', text);
  await folder.finish();
  return folder.path;
}

t.test('it appears when it is whole', async (t) => {
  const folder = await ResultFolder.begin(at('out'), named);
  await folder.writeText('a.txt', 'a');
  t.notOk(existsSync(at('out')));
  t.equal(readdirSync(root).length, 1, 'it grows beside its name');
  await folder.finish();
  t.same(readdirSync(root), ['out']);
  t.same(readdirSync(at('out')).sort(), ['a.txt', 'files.json']);
  t.same(folder.files, ['a.txt', 'files.json']);
  t.match(JSON.parse(read('out', 'files.json')), { madeBy: 'a test', sha256: { 'a.txt': /^ca978112ca1bbdcafac231b39a23dc4d/ } });
});

t.test('abort and removeUnfinished leave nothing', async (t) => {
  const folder = await ResultFolder.begin(at('out'), named);
  await folder.writeText('deep/a.txt', 'a');
  await folder.abort();
  t.same(readdirSync(root), []);
  await (await ResultFolder.begin(at('out'), named)).writeText('deep/a.txt', 'a');
  removeUnfinished(at('out'));
  t.same(readdirSync(root), []);
});

t.test('its own kind is replaced where it is untouched', async (t) => {
  await make(at('out'), 'first');
  await make(at('out'), 'second');
  t.equal(read('out', 'deep', 'b.txt'), 'second');
  t.same(readdirSync(root), ['out']);
  mkdirSync(at('empty'));
  await make(at('empty'), 'third');
  t.equal(read('empty', 'a.txt'), 'third', 'an empty folder is filled');
  symlinkSync(at('out'), at('link'));
  await make(at('link'), 'fourth');
  t.ok(lstatSync(at('link')).isSymbolicLink(), 'a link stays one');
  t.equal(read('out', 'a.txt'), 'fourth');
});

t.test("what is the user's stays", async (t) => {
  const cases: [name: string, spoil: () => void, reason: RegExp][] = [
    [
      'a foreign file',
      () => writeFileSync(at('out', 'notes.txt'), 'mine'),
      /--out .*out: the folder holds notes\.txt, which 'a test' did not make; name another/,
    ],
    ['a file in a folder within', () => writeFileSync(at('out', 'deep', 'c.txt'), 'mine'), /holds deep\/c\.txt/],
    ['a changed file', () => writeFileSync(at('out', 'a.txt'), 'mine'), /holds a\.txt, which was changed/],
    ['a link', () => symlinkSync(at(), at('out', 'link')), /holds link/],
    [
      'another maker',
      () => writeFileSync(at('out', 'files.json'), read('out', 'files.json').replace('a test', 'another')),
      /'a test' did not make it/,
    ],
    ['a broken list', () => writeFileSync(at('out', 'files.json'), '{"madeBy'), /did not make it/],
    ['a list of nothing', () => writeFileSync(at('out', 'files.json'), '{"madeBy":"a test","sha256":null}'), /did not make it/],
  ]; // prettier-ignore
  for (const [name, spoil, reason] of cases) {
    await make(at('out'), 'before');
    spoil();
    const before = readdirSync(at('out'), { recursive: true }).sort();
    await rejectsWith(t, ResultFolder.begin(at('out'), named), 'UAM_ARGUMENT', reason);
    t.same(readdirSync(at('out'), { recursive: true }).sort(), before, `${name}: untouched`);
    t.equal(await make(at('out'), 'after', fresh), at('out-2'), `${name}: another name is taken where that is allowed`);
    rmSync(at('out'), { recursive: true });
  }
  writeFileSync(at('file'), 'mine');
  await rejectsWith(t, ResultFolder.begin(at('file'), named), 'UAM_ARGUMENT', /it is no folder/);
  t.equal(await make(at('file'), 'x', fresh), at('file-2'));
  t.equal(await make(at('file'), 'x', fresh), at('file-2'), 'where its own of before is replaced');
});

t.test('a folder that the run reads from is not replaced', async (t) => {
  await make(at('out'), 'before');
  const reads = [at('out', 'deep', 'b.txt')];
  await rejectsWith(t, ResultFolder.begin(at('out'), { ...named, reads }), 'UAM_ARGUMENT', /holds .*b\.txt, which the run reads/);
  t.equal(await make(at('out'), 'after', { ...fresh, reads } as typeof fresh), at('out-2'));
  t.equal(read('out', 'deep', 'b.txt'), 'before');
});

t.test('what comes under the name meanwhile stays', async (t) => {
  const folder = await ResultFolder.begin(at('out'), named);
  await folder.writeText('a.txt', 'a');
  mkdirSync(at('out'));
  writeFileSync(at('out', 'notes.txt'), 'mine');
  await rejectsWith(t, folder.finish(), 'UAM_IO', /cannot write .*out: the folder holds files/);
  t.same(readdirSync(at('out')), ['notes.txt']);
  await folder.abort();
  t.same(readdirSync(root), ['out']);
});

t.test('nowhere to be', async (t) => {
  await rejectsWith(t, ResultFolder.begin(at('no', 'out'), named), 'UAM_IO', /the folder .*no does not exist/);
  writeFileSync(at('file'), '');
  await rejectsWith(t, ResultFolder.begin(at('file', 'out'), named), 'UAM_IO', /file is not a folder/);
});
