// Files that appear when they are whole: what stays, what goes, and who may read them.
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import t from 'tap';
import { gzipped } from '../../src/files/gzipped.js';
import { openFile, removeUnfinished } from '../../src/files/output_file.js';
import { writeWhole } from '../../src/files/write_whole.js';
import { rejectsWith } from '../support/expect.js';

const folder = mkdtempSync(join(tmpdir(), 'uam-files-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));
const file = (name: string) => join(folder, name);
const bytes = (text: string) => Buffer.from(text);

t.test('a file has its name once it is whole', async (t) => {
  writeFileSync(file('a'), 'before');
  const output = await openFile(file('a'));
  await output.write(bytes('af'));
  t.equal(readFileSync(file('a'), 'utf8'), 'before');
  t.equal(readdirSync(folder).length, 2, 'one more, in the same folder');
  await output.write(bytes('ter'));
  await output.close();
  t.equal(readFileSync(file('a'), 'utf8'), 'after');
  t.same(readdirSync(folder), ['a']);
  await rejectsWith(t, output.write(bytes('x')), 'UAM_IO', /closed/);
  const more = await openFile(file('a'), true);
  await more.write(bytes('!'));
  await more.close();
  t.equal(readFileSync(file('a'), 'utf8'), 'after!');
});

t.test('what is written first may be told last', async (t) => {
  const output = await openFile(file('b'));
  await output.write(bytes('????-b'));
  await output.overwrite(1, bytes('end'));
  await output.write(bytes('ody'));
  await output.close();
  t.equal(readFileSync(file('b'), 'utf8'), '?end-body');
  await rejectsWith(t, output.overwrite(0, bytes('x')), 'UAM_IO', /closed/);
  rmSync(file('b'));
});

t.test('what is given up leaves nothing, and what was there before', async (t) => {
  const output = await openFile(file('a'));
  await output.write(bytes('half'));
  await output.abort();
  await rejectsWith(t, writeWhole(file('a'), [bytes('x')], AbortSignal.abort()), 'UAM_ABORTED', /writing .*a was ended/);
  const broken = [bytes('x'), { length: 3 } as Uint8Array];
  await rejectsWith(t, writeWhole(file('a'), broken), 'UAM_IO', /cannot write/);
  t.equal(readFileSync(file('a'), 'utf8'), 'after!');
  t.same(readdirSync(folder), ['a']);
});

t.test('who ends at once removes what is unfinished, of that file alone', async (t) => {
  const [one, other] = [await openFile(file('one')), await openFile(file('one.more'))];
  removeUnfinished(file('one'));
  t.notOk(existsSync(one.temporary as string));
  t.ok(existsSync(other.temporary as string));
  removeUnfinished(join(folder, 'none', 'x'));
  await one.abort();
  await other.abort();
  t.same(readdirSync(folder), ['a']);
});

t.test('links stay links, and permissions stay', async (t) => {
  mkdirSync(file('far'));
  symlinkSync(join('far', 'real'), file('link'));
  writeFileSync(file('far/real'), 'old');
  chmodSync(file('far/real'), 0o640);
  await writeWhole(file('link'), [bytes('new'), bytes('er')]);
  t.ok(lstatSync(file('link')).isSymbolicLink());
  t.equal(readFileSync(file('far/real'), 'utf8'), 'newer');
  t.equal(statSync(file('far/real')).mode & 0o777, 0o640);
  await writeWhole('/dev/null', [bytes('gone')]);
  t.ok(statSync('/dev/null').isCharacterDevice(), 'a device is written as it is');
});

t.test('what cannot be is said', async (t) => {
  await rejectsWith(t, writeWhole(join(folder, 'none', 'x'), []), 'UAM_IO', /folder .*none does not exist; make it first/);
  await rejectsWith(t, writeWhole(folder, []), 'UAM_IO', /it is a folder/);
  await rejectsWith(t, writeWhole(join(file('a'), 'x'), []), 'UAM_IO', /is not a folder/);
});

t.test('packed on the way', async (t) => {
  const output = gzipped(await openFile(file('a.gz')));
  t.ok(existsSync(output.temporary as string));
  for (let i = 0; i < 100; i++) await output.write(bytes(`${'line '.repeat(5000)}${i}\n`));
  await output.close();
  t.equal(
    gunzipSync(readFileSync(file('a.gz')))
      .toString()
      .split('\n').length,
    101,
  );
  const given = gzipped(await openFile(file('b.gz')));
  await given.write(bytes('x'));
  await given.abort();
  t.notOk(existsSync(file('b.gz')));
});
