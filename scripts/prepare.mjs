// What npm runs after installing in a clone, and before packing: it builds the addon and dist/.
//
// `npx uam` in a clone also runs it, once: npx links the package into its cache, and to npm linking is installing. What
// `npm install` built a moment ago is still there, so nothing is built then, and the program starts at once.
import { execSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const built = ['build/Release/uam_native.node', 'dist/cjs/cli/main.js', 'dist/esm/index.js'].every((path) => existsSync(join(root, path)));
const byNpx = process.env.npm_command === 'exec';

if (!(byNpx && built)) execSync('npm run build:all', { cwd: root, stdio: 'inherit' });
