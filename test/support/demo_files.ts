// Small made-up images with their nuclei and classes, as files: for tests of the command line.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { encodeMask } from '../../src/image/write_mask.js';
import { demoTile } from '../../src/train/demo_tile.js';

export interface DemoFilesOptions {
  /** Tiles, each of a patient of its own. */
  tiles?: number;
  /** The first tile's seed. */
  first?: number;
  /** Pixels of a side. */
  side?: number;
  /** Micrometres per pixel. */
  mpp?: number;
}

/**
 * Writes `<name><i>.png`, its mask `_labels.png` and its classes `_classes.csv`, and a manifest of them.
 *
 * @returns the path of the manifest
 */
export async function writeDemoFiles(folder: string, name: string, options: DemoFilesOptions = {}): Promise<string> {
  const { tiles = 4, first = 0, side = 96, mpp = 0.5 } = options;
  const { default: sharp } = await import('sharp');
  mkdirSync(folder, { recursive: true });
  const lines = ['image,mask,classes,patient,mpp'];
  for (let i = 0; i < tiles; i++) {
    const { image, mask, classes, classNames } = demoTile({ seed: first + i, width: side, height: side, mpp });
    const raw = { width: side, height: side, channels: 3 as const };
    const png = await sharp(image.data as Uint8Array, { raw })
      .png()
      .toBuffer();
    writeFileSync(join(folder, `${name}${i}.png`), png);
    writeFileSync(join(folder, `${name}${i}_labels.png`), await encodeMask(mask));
    const rows = Array.from(classes, (c, nucleus) => `${nucleus + 1},${classNames[c]}`);
    writeFileSync(join(folder, `${name}${i}_classes.csv`), `label,class\n${rows.join('\n')}\n`);
    lines.push(`${name}${i}.png,${name}${i}_labels.png,${name}${i}_classes.csv,patient ${first + i},${mpp}`);
  }
  const manifest = join(folder, `${name}.csv`);
  writeFileSync(manifest, `${lines.join('\n')}\n`);
  return manifest;
}
