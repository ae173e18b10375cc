// clang-format over native/ and cuda/:  node scripts/format_native.mjs [--check]
// Without clang-format on this machine it says so and passes: .ci/run installs it.
import { execFileSync, spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const patterns = ['native/*.h', 'native/*.cpp', 'cuda/*.cuh', 'cuda/*.cu'];
const listed = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '--', ...patterns], {
  cwd: root,
  encoding: 'utf8',
});
const files = listed.trim().split('\n');
const mode = process.argv.includes('--check') ? ['--dry-run', '--Werror'] : ['-i'];
const result = spawnSync('clang-format', [...mode, ...files], { cwd: root, stdio: 'inherit' });
if (result.error?.code === 'ENOENT') console.warn('clang-format is not installed: native/ and cuda/ were not checked');
else process.exitCode = result.status ?? 1;
