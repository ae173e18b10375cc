// Packs the small regions of shared/vectors/radiomics, under all settings, into test/fixtures/radiomics.pyradiomics.json.gz:
//   node scripts/pack_radiomics.mjs ../shared/vectors/radiomics
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

const [folder] = process.argv.slice(2);
if (!folder) throw new Error('usage: node scripts/pack_radiomics.mjs <folder>');
const json = (name) => JSON.parse(readFileSync(join(folder, name), 'utf8'));
const MOST_PIXELS = 200;

/** Values and shape of a C-order little-endian .npy file of floats or bytes. */
function npy(path) {
  const file = readFileSync(path);
  const end = 10 + file.readUInt16LE(8);
  const header = file.toString('latin1', 10, end);
  const shape = header
    .match(/\(([^)]*)\)/)[1]
    .split(',')
    .filter((n) => n.trim())
    .map(Number);
  const bytes = Uint8Array.from(file.subarray(end));
  return { shape, data: [...(header.includes('<f4') ? new Float32Array(bytes.buffer) : bytes)] };
}

const { meta, rois } = json('rois.json');
const matrices = json('matrices.json').rois;
const small = rois
  .filter(({ nPixels }) => nPixels <= MOST_PIXELS)
  .map(({ id, type, values }) => {
    const image = npy(join(folder, `rois/${id}_image.npy`));
    const mask = npy(join(folder, `rois/${id}_mask.npy`));
    const matrix = matrices.find((entry) => entry.id === id);
    return { id, type, shape: image.shape, image: image.data, mask: mask.data, values, matrix };
  });
const { pyradiomics_repo, commit, describe, numpy, settings } = meta;
const packed = { origin: { pyradiomics_repo, commit, describe, numpy }, settings, rois: small };
writeFileSync('test/fixtures/radiomics.pyradiomics.json.gz', gzipSync(JSON.stringify(packed), { level: 9 }));
console.log(`${small.length} regions`);
