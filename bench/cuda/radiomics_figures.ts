// Texture features of many cells on the card: through host arrays, as the public API has them, and what of that is the copying.
import { kernelTable, synchronize } from '../../src/native/device.js';
import { DeviceArray } from '../../src/native/device_array.js';
import { roiInput } from '../../src/radiomics/roi.js';
import { completeSettings } from '../../src/radiomics/settings.js';
import { JOINT_CLASSES, textureParams } from '../../src/radiomics/texture.js';
import { nucleiImage } from '../nuclei_image.js';
import { onCard, timed } from './case.js';
import type { Figure } from './table.js';

const CELLS = 350_000;
const PLANNED = 0.2e6; // microseconds, without the copy

/** Bytes of the arrays among a kernel's parameters. */
const bytesOf = (params: object): number =>
  Object.values(params).reduce((sum, value) => sum + (ArrayBuffer.isView(value) ? value.byteLength : 0), 0);

/** Seconds that so many bytes take to the card, or home from it. */
function copySeconds(bytes: number, direction: 'there' | 'home', milliseconds: number): number {
  const host = new Uint8Array(bytes);
  const there = DeviceArray.allocate('uint8', bytes);
  const copy = direction === 'there' ? () => there.set(host) : () => there.read(host);
  const { median } = timed(copy, milliseconds);
  there.release();
  return median;
}

function equalBits(a: Float64Array, b: Float64Array): number {
  const [x, y] = [new BigUint64Array(a.buffer), new BigUint64Array(b.buffer)];
  let different = 0;
  for (let i = 0; i < x.length; i++) if (x[i] !== y[i] && !(Number.isNaN(a[i]) && Number.isNaN(b[i]))) different++;
  return different;
}

/** Each class alone, and all of them. `tiny`: a few cells, for the emulation. */
export function* radiomicsFigures(tiny: boolean, milliseconds: number): Generator<Figure> {
  const cells = tiny ? 12 : CELLS;
  // 212 pixels a nucleus in the median, at the density of a slide: 20,000 nuclei on 4,096 x 4,096 pixels.
  const side = Math.ceil(4096 * Math.sqrt(cells / 20_000));
  const { plane, regions } = nucleiImage(side, side, cells);
  const settings = completeSettings({});
  for (const classes of [JOINT_CLASSES, ...(tiny ? [] : JOINT_CLASSES.map((one) => [one]))]) {
    if (!onCard('texture')) return;
    const params = textureParams(classes, roiInput(regions, plane, settings), settings, [1, 1]);
    const table = kernelTable('cuda');
    const { median, best, samples } = timed(() => table?.texture?.(params), milliseconds);
    const out = params.out.slice();
    params.out.fill(Number.NaN);
    kernelTable('cpu')?.texture?.(params);
    const outBytes = params.out.byteLength;
    const copying = copySeconds(bytesOf(params) - outBytes, 'there', milliseconds) + copySeconds(outBytes, 'home', milliseconds);
    synchronize();
    const name = classes.length > 1 ? 'six classes' : classes[0]?.name;
    const common = { group: 'radiomics', samples, amount: { count: regions.rois, unit: 'cells' } };
    const different = equalBits(out, params.out);
    yield {
      ...common,
      ...{ name: `${name}, ${regions.rois} cells, copies included`, seconds: median, best },
      note: `${different} of ${out.length} values differ in a bit from the CPU's`,
    };
    yield {
      ...common,
      ...{
        name: `${name}, ${regions.rois} cells, less the copies`,
        seconds: Math.max(median - copying, 0),
        best: Math.max(best - copying, 0),
      },
      note: `copies timed alone: ${(copying * 1e3).toFixed(1)} ms`,
      ...(classes.length > 1 && !tiny && { planned: PLANNED }),
    };
  }
}
