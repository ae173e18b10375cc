import type { LabelMask } from '../image/image.js';
import { type AsyncOptions, hostKernel } from '../native/call.js';
import { checkPlane } from './distance_transform.js';

interface ConnectedComponentsParams {
  height: number;
  width: number;
  diagonal: boolean;
  mask: Uint8Array;
  labels: Uint32Array;
  total: Float64Array;
}

function connectedComponentsReference({ height, width, diagonal, mask, labels, total }: ConnectedComponentsParams): void {
  labels.fill(0);
  let count = 0;
  for (let at = 0; at < mask.length; at++) {
    if (mask[at] === 0 || labels[at] !== 0) continue;
    labels[at] = ++count;
    const piece = [at];
    for (const i of piece) {
      const [x, y] = [i % width, Math.floor(i / width)];
      for (let ny = Math.max(0, y - 1); ny <= Math.min(height - 1, y + 1); ny++) {
        for (let nx = Math.max(0, x - 1); nx <= Math.min(width - 1, x + 1); nx++) {
          const n = ny * width + nx;
          if (mask[n] === 0 || labels[n] !== 0 || (!diagonal && nx !== x && ny !== y)) continue;
          labels[n] = count;
          piece.push(n);
        }
      }
    }
  }
  total[0] = count;
}

const components = hostKernel<ConnectedComponentsParams>('connected_components', connectedComponentsReference);

/**
 * Numbers the pieces of a mask 1, 2, ... in the order of their first pixels, row by row.
 *
 * @param mask `height * width` values, 0 outside
 * @param options `diagonal`: pixels also hang together over their corners (default false: over their sides only)
 * @returns a label image and the number of pieces
 * @throws UamError `UAM_SHAPE`, `UAM_DTYPE`
 * @example
 * const { count } = connectedComponents(Uint8Array.of(1, 0, 1, 1), 4, 1); // 2
 */
export function connectedComponents(mask: Uint8Array, width: number, height: number, options: PiecesOptions = {}): Pieces {
  const params = prepare('connectedComponents', mask, width, height, options);
  components(params);
  return finish(params);
}

/**
 * As `connectedComponents`, on a background thread.
 *
 * @param call `signal` ends the call; the promise then rejects with `UAM_ABORTED`
 * @throws UamError as `connectedComponents`
 * @example
 * const { count } = await connectedComponentsAsync(Uint8Array.of(1, 0, 1, 1), 4, 1);
 */
export async function connectedComponentsAsync(
  mask: Uint8Array,
  width: number,
  height: number,
  options: PiecesOptions = {},
  call: AsyncOptions = {},
): Promise<Pieces> {
  const params = prepare('connectedComponentsAsync', mask, width, height, options);
  await components.async(params, call);
  return finish(params);
}

interface PiecesOptions {
  diagonal?: boolean | undefined;
}

interface Pieces {
  mask: LabelMask;
  count: number;
}

function prepare(where: string, mask: Uint8Array, width: number, height: number, { diagonal = false }: PiecesOptions) {
  checkPlane(where, mask, width, height);
  return { height, width, diagonal, mask, labels: new Uint32Array(mask.length), total: new Float64Array(1) };
}

const finish = ({ width, height, labels, total }: ConnectedComponentsParams): Pieces => ({
  mask: { width, height, data: labels },
  count: total[0] as number,
});
