// Makes test/fixtures/<name of the folder>.vectors.json.gz from a folder of vectors: every case whose arrays are small, so that the
// tests run where the folder is absent. Expected outputs are kept in float64, as they are.
//   node scripts/pack_vectors.mjs <folder> [largest case in bytes]
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { gzipSync } from 'node:zlib';

const [folder, limit = '120000'] = process.argv.slice(2);
if (!folder) throw new Error('usage: node scripts/pack_vectors.mjs <folder> [largest case in bytes]');
const { cases } = JSON.parse(readFileSync(join(folder, 'index.json'), 'utf8'));
const errors = join(folder, 'float32_error.json');
const float32Error = existsSync(errors) ? JSON.parse(readFileSync(errors, 'utf8')) : {};
const files = {};
const kept = cases.filter((vectorCase) => {
  const entries = ['inputs', 'outputs', 'upstream', 'grads'].flatMap((part) => Object.values(vectorCase[part]));
  const arrays = entries.map(({ file }) => [file, readFileSync(join(folder, file))]);
  if (arrays.reduce((bytes, [, array]) => bytes + array.length, 0) > Number(limit)) return false;
  for (const [file, array] of arrays) files[file] = array.toString('base64');
  return true;
});
const packed = gzipSync(JSON.stringify({ cases: kept, float32Error, files }), { level: 9 });
writeFileSync(`test/fixtures/${basename(folder)}.vectors.json.gz`, packed);
console.log(`${kept.length} of ${cases.length} cases, ${packed.length} bytes`);
