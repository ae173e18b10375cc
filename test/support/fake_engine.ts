// An engine without images: a file's text says what happens to it. For tests of the command line.
//
//   cells 250          its mask has 250 cells
//   fail UAM_DATA      reading it fails
//   break UAM_SHAPE    extracting fails after the first block
//   wait 5000          each block takes so many ms, or ends at once when aborted
//   warn               reading it gives a warning
import { readFile } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import type { Engine } from '../../src/cli/engine.js';
import { UamError, type UamErrorCode } from '../../src/errors.js';
import type { LabelMask, RasterImage } from '../../src/image/image.js';
import type { ExtractOptions } from '../../src/radiomics/extract_options.js';
import { makeTable } from './feature_tables.js';

/** What the file says, by word. */
const says = (name: string | undefined, word: string): string | undefined => name?.match(new RegExp(`^${word} ?(.*)$`, 'm'))?.[1];

export class FakeEngine implements Engine {
  readonly calls: { threads?: number; options: ExtractOptions[]; images: RasterImage[]; segmented: number } = {
    options: [],
    images: [],
    segmented: 0,
  };

  setThreads(threads: number): void {
    this.calls.threads = threads;
  }

  async readImage(path: string) {
    const text = await readFile(path, 'utf8').catch((cause) => {
      throw new UamError('UAM_INPUT', `cannot read ${path}`, { cause });
    });
    const code = says(text, 'fail');
    if (code) throw new UamError(code as UamErrorCode, `${path} is made to fail`);
    if (says(text, 'crash') !== undefined) throw new TypeError('a bug of ours');
    const value: RasterImage = { width: 4, height: 4, channels: 1, data: new Uint8Array(16), name: text };
    return { value, warnings: says(text, 'warn') === undefined ? [] : [{ code: 'made_up', message: `${path}: a made-up warning` }] };
  }

  async readMask(path: string, image: RasterImage) {
    const name = await readFile(path, 'utf8');
    return { value: { width: image.width, height: image.height, data: new Uint32Array(16), name } as LabelMask, warnings: [] };
  }

  async segment(image: RasterImage) {
    this.calls.segmented++;
    return { value: { width: image.width, height: image.height, data: new Uint32Array(16), name: 'cells 3' }, warnings: [] };
  }

  async *extract(image: RasterImage, mask: LabelMask, options: ExtractOptions) {
    const { signal, onProgress, ...rest } = options;
    this.calls.options.push(rest);
    this.calls.images.push(image);
    const cells = Number(says(mask.name, 'cells') ?? 5);
    const wait = Number(says(image.name, 'wait') ?? 0);
    const names = (options.channels ?? []).flatMap((channel) => ['Mean', 'Median'].map((name) => `${channel}_firstorder_${name}`));
    for (let from = 0, block = 0; from < cells || block === 0; from += 100, block++) {
      if (block > 0 && says(image.name, 'break')) throw new UamError(says(image.name, 'break') as UamErrorCode, 'made to break');
      if (wait > 0) {
        await pause(wait, undefined, { signal }).catch((cause) => {
          throw new UamError('UAM_ABORTED', 'aborted', { cause });
        });
      }
      const rows = Math.min(100, cells - from);
      yield makeTable(rows, names, block + 1);
      onProgress?.({ done: from + rows, total: cells });
    }
  }
}
