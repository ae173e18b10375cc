// Packs the package and uses it as a stranger would: installs the tarball in an empty folder where PATH holds neither a
// compiler nor node-gyp, and runs an op through import and through require. Wants a prebuild (npm run prebuild).
// Prints TAP, so that its checks count as tests.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const npmCli =
  process.env.npm_execpath ??
  execFileSync('npm', ['prefix', '--global'], { encoding: 'utf8' }).trim() + '/lib/node_modules/npm/bin/npm-cli.js';
const temporary = mkdtempSync(join(tmpdir(), 'uam-package-'));
process.on('exit', () => rmSync(temporary, { recursive: true, force: true }));

let count = 0;
function check(name, passed, details = '') {
  console.log(`${passed ? 'ok' : 'not ok'} ${++count} - ${name}`);
  if (passed) return;
  process.exitCode = 1;
  for (const line of String(details).split('\n')) console.log(`# ${line}`);
}

// 1. What the tarball holds.
const packed = execFileSync(process.execPath, [npmCli, 'pack', '--ignore-scripts', '--json', '--pack-destination', temporary], {
  cwd: root,
  encoding: 'utf8',
});
const [{ filename, files }] = JSON.parse(packed);
const withoutPrebuilds = files.filter(({ path }) => !path.startsWith('prebuilds/'));
const bytes = withoutPrebuilds.reduce((sum, { size }) => sum + size, 0);
check(`unpacked, without prebuilds, it takes ${(bytes / 1e6).toFixed(2)} MB, less than 5 MB`, bytes < 5e6);
const wanted = [
  /^dist\/(esm|cjs)\/.*\.(js|d\.ts)$/,
  /^dist\/cjs\/package\.json$/,
  /^docs\/\w+\.md$/,
  /^(native|cuda)\/.*\.(h|cuh|cpp|cu|def|cjs)$/,
  /^prebuilds\/[a-z0-9-]+\/uam_native\.node$/,
  /^(package\.json|README\.md|LICENSE|CHANGELOG\.md|binding\.gyp|CMakeLists\.txt)$/,
];
const strangers = files.map(({ path }) => path).filter((path) => !wanted.some((pattern) => pattern.test(path)));
check('it holds only what users need', strangers.length === 0, strangers.join('\n'));
for (const name of [
  'README.md',
  'LICENSE',
  'CHANGELOG.md',
  'dist/esm/index.js',
  'dist/esm/index.d.ts',
  'dist/cjs/index.js',
  'dist/cjs/index.d.ts',
]) {
  check(
    `it holds ${name}`,
    files.some(({ path }) => path === name),
  );
}
check('it holds a prebuild', files.length > withoutPrebuilds.length, 'run npm run prebuild first');

// 2. Installed where nothing can be compiled.
const user = join(temporary, 'user');
const bin = join(temporary, 'bin');
mkdirSync(user);
mkdirSync(bin);
symlinkSync(process.execPath, join(bin, 'node'));
symlinkSync('/bin/sh', join(bin, 'sh'));
writeFileSync(join(user, 'package.json'), JSON.stringify({ name: 'user', version: '1.0.0', private: true }));
const env = { HOME: process.env.HOME, PATH: bin, NODE_EXTRA_CA_CERTS: process.env.NODE_EXTRA_CA_CERTS ?? '' };
const install = spawnSync(
  process.execPath,
  [npmCli, 'install', join(temporary, filename), '--foreground-scripts', '--prefer-offline', '--no-audit', '--no-fund'],
  { cwd: user, env, encoding: 'utf8' },
);
const output = `${install.stdout}${install.stderr}`;
const installed = join(user, 'node_modules', 'uam-native');
check('npm install of the tarball succeeds without a compiler', install.status === 0, output);
check('the install runs no script', !/^> uam-native@/m.test(output), output); // npm prints a banner before each script
check('the install compiles nothing', existsSync(installed) && !readdirSync(installed).includes('build'));
const manifest = existsSync(installed) ? JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8')) : {};
const hooks = ['preinstall', 'install', 'postinstall'].filter((name) => manifest.scripts?.[name]);
check('a registry would see no install script either', hooks.length === 0 && manifest.gypfile === false, hooks.join());

// 3. Used through import and through require.
const body = `
  const { backend, addon } = uam.runtimeInfo();
  const y = uam.square(uam.Tensor.from([1, 2, 3]));
  process.stdout.write(JSON.stringify({ backend, addon, values: Array.from(y.data) }));`;
const programs = {
  'import.mjs': `import * as uam from 'uam-native';${body}`,
  'require.cjs': `const uam = require('uam-native');${body}`,
};
for (const [file, text] of Object.entries(programs)) {
  writeFileSync(join(user, file), text);
  const run = spawnSync(process.execPath, [file], { cwd: user, env, encoding: 'utf8' });
  const way = file.split('.')[0];
  check(`${way} works and warns of nothing`, run.status === 0 && run.stderr === '', run.stderr);
  const { backend, addon, values } = run.status === 0 ? JSON.parse(run.stdout) : {};
  check(
    `${way}: the op ran natively, from the packed prebuild`,
    backend === 'cpu' && /node_modules.uam-native.prebuilds/.test(addon),
    `${backend} ${addon}`,
  );
  check(`${way}: the result is right`, JSON.stringify(values) === '[1,4,9]', JSON.stringify(values));
}
console.log(`1..${count}`);
