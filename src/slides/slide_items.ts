// Which function does which item.
import { blendPatch, callBlock } from './blend.js';
import { cellBlock } from './cell_block.js';
import { modelTile } from './model_tile.js';
import { unpackLabels } from './raw_labels.js';
import { scanPart, settle } from './slide_scan.js';
import type { ItemReport, SlideItem } from './slide_task.js';
import type { SlideWork } from './slide_work.js';
import { splitPolygons } from './split_polygons.js';
import { unpackSlide } from './unpack_slide.js';
import { writeCells } from './write_cells.js';
import { drawOverlay } from './write_overlay.js';
import { writeRegions } from './write_regions.js';

/** Does an item: the same files come out, whoever does it and whenever. */
export function doItem(work: SlideWork, { kind, index }: SlideItem): Promise<ItemReport> {
  work.refuseAborted();
  switch (kind) {
    case 'unpack':
      return unpackSlide(work);
    case 'labels':
      return unpackLabels(work);
    case 'scan':
      return scanPart(work, index);
    case 'settle':
      return settle(work);
    case 'split':
      return splitPolygons(work);
    case 'block':
      return cellBlock(work, index);
    case 'tile':
      return modelTile(work, index);
    case 'patch':
      return blendPatch(work, index);
    case 'calls':
      return callBlock(work, index);
    case 'cells':
      return writeCells(work);
    case 'regions':
      return writeRegions(work);
    case 'overlay':
      return drawOverlay(work);
  }
}
