// Puts the addon of this machine, stripped, where a packed package looks for it: prebuilds/<platform>-<arch>[-musl]/.
// `npm run prebuild` builds addon and TypeScript first.
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { platformName } from '../dist/cjs/native/load.js';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const folder = join(root, 'prebuilds', platformName());
const file = join(folder, 'uam_native.node');
mkdirSync(folder, { recursive: true });
copyFileSync(join(root, 'build', 'Release', 'uam_native.node'), file);
if (process.platform !== 'win32') execFileSync('strip', process.platform === 'darwin' ? ['-x', file] : ['--strip-unneeded', file]);
console.log(`prebuilds/${platformName()}/uam_native.node: ${(statSync(file).size / 1e6).toFixed(2)} MB`);
