// Builds the addon with node-gyp into build/Release. Where the running Node brought its own headers they are used,
// so that a machine with a closed network builds too; otherwise node-gyp fetches them as usual.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');

function headersOfThisNode() {
  const prefix = join(dirname(realpathSync(process.execPath)), '..');
  const header = join(prefix, 'include', 'node', 'node_version.h');
  if (!existsSync(header)) return [];
  const text = readFileSync(header, 'utf8');
  const number = (part) => text.match(new RegExp(`#define NODE_${part}_VERSION (\\d+)`))?.[1];
  const version = ['MAJOR', 'MINOR', 'PATCH'].map(number).join('.');
  return version === process.versions.node ? [`--nodedir=${prefix}`] : [];
}

const nodeGyp = join(dirname(createRequire(import.meta.url).resolve('node-gyp/package.json')), 'bin', 'node-gyp.js');
const run = (...args) =>
  execFileSync(process.execPath, [nodeGyp, ...args, '--loglevel=warn', ...headersOfThisNode()], { cwd: root, stdio: 'inherit' });
run('configure'); // always: the source list is read at configure time
run('build', '--jobs=max');
