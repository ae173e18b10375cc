// A picture of the user's own, for `uam demo --image`: read, and its nuclei found, before anything else is done.
import { findCellsAsync } from '../cells/find_cells.js';
import { readCellMask } from '../cells/read_cell_mask.js';
import { segmentNuclei } from '../cells/segment.js';
import { UamError } from '../errors.js';
import type { ImageWarning, LabelMask } from '../image/image.js';
import { type ScaledImage, scaledImage } from '../train/image_cells.js';
import type { Session } from './session.js';

export interface OwnPicture {
  path: string;
  image: ScaledImage;
  mask: LabelMask;
  /** Whether the mask is what the segmentation found. */
  segmented: boolean;
}

/** Where the picture and its nuclei are. */
export interface PictureSource {
  image: string;
  /** Absent where the segmentation is to find the nuclei. */
  mask: string | undefined;
  mpp: number | undefined;
}

/** @throws UamError as `readImage` and `readCellMask`; `UAM_DATA` where the pixel size is unknown, or there is nothing to classify */
export async function readPicture({ image: path, mask, mpp }: PictureSource, { signal, log }: Session): Promise<OwnPicture> {
  const { image, warnings } = await scaledImage({ image: path, mpp }, { signal });
  tell(warnings, log);
  if (image.channels !== 3 || !(image.data instanceof Uint8Array)) {
    throw new UamError('UAM_DATA', `${path}: the demo needs an 8-bit colour image, with the stains in it; this one has ${format(image)}`);
  }
  const found =
    mask === undefined ? await segmentNuclei(image, {}, { signal }).then(withMask) : withMask(await readCellMask(mask, image, { signal }));
  tell(found.warnings, log);
  const { count } = await findCellsAsync(found.mask, { signal });
  if (count === 0) {
    const advice = 'give --mask, or see whether the picture is H&E and --mpp is right';
    throw new UamError('UAM_DATA', mask === undefined ? `${path}: no nuclei were found; ${advice}` : `${mask}: the mask has no nuclei`);
  }
  return { path, image, mask: found.mask, segmented: mask === undefined };
}

interface FoundMask {
  mask: LabelMask;
  warnings: readonly ImageWarning[];
}

/** A segmentation has its mask inside, a mask from a file is one. */
function withMask(found: FoundMask | (LabelMask & { warnings: readonly ImageWarning[] })): FoundMask {
  return 'mask' in found ? found : { mask: found, warnings: found.warnings };
}

function tell(warnings: readonly ImageWarning[], log: Session['log']): void {
  for (const { code, message } of warnings) log.warn(message, { code });
}

const format = ({ channels, data }: ScaledImage): string =>
  `${channels} channel${channels === 1 ? '' : 's'} of ${data.BYTES_PER_ELEMENT * 8} bits`;
