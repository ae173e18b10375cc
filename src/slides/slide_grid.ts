// The pixels in which a slide is analysed: those of a level, or a level brought to the model's pixel size.
import { UamError } from '../errors.js';
import type { ImageLevel, OpenedImage } from '../image/open_image.js';
import { type Factors, resampledLength } from '../image/resample.js';

/** A grid over a slide: plain data, for other threads. */
export interface SlideGrid {
  /** Pixels of the grid. */
  width: number;
  height: number;
  /** The level that is read, and its pixels. */
  level: number;
  levelWidth: number;
  levelHeight: number;
  /** Pixels of the level per pixel of the grid; absent where they are the same. */
  factors?: Factors | undefined;
  /** Pixels of the full resolution per pixel of the grid. */
  toFull: Factors;
  /** Micrometres per pixel of the grid. */
  mpp: readonly [x: number, y: number];
}

/** Pixel sizes that differ by less than this share are one, as for features. */
const TOLERANCE = 0.05;
/** Beyond this a pixel size is mistaken, or the slide shows no nuclei as the model means them. */
const MOST = 10;

type Slide = Pick<OpenedImage, 'width' | 'height' | 'name'> & { levels: readonly Pick<ImageLevel, 'width' | 'height'>[] };

/**
 * The grid in which pixels are `scale` pixels of the full resolution wide: over the coarsest level that is not coarser than that.
 *
 * @param mpp micrometres per pixel of the full resolution
 */
export function gridAt(slide: Slide, mpp: readonly [x: number, y: number], scale: Factors): SlideGrid {
  const shrinkOf = ({ width, height }: { width: number; height: number }): Factors => [slide.width / width, slide.height / height];
  let level = 0;
  slide.levels.forEach((one, i) => {
    const shrink = shrinkOf(one);
    const fine = shrink.every((by, axis) => by <= (scale[axis] as number) * (1 + TOLERANCE));
    if (fine && shrink[0] > shrinkOf(slide.levels[level] as Slide['levels'][number])[0]) level = i;
  });
  const { width: levelWidth, height: levelHeight } = slide.levels[level] as Slide['levels'][number];
  const shrink = shrinkOf({ width: levelWidth, height: levelHeight });
  const factors: Factors = [scale[0] / shrink[0], scale[1] / shrink[1]];
  const same = factors.every((factor) => factor <= 1 + TOLERANCE && factor >= 1 / (1 + TOLERANCE));
  const toFull: Factors = same ? shrink : scale;
  return {
    width: same ? levelWidth : resampledLength(levelWidth, factors[0]),
    height: same ? levelHeight : resampledLength(levelHeight, factors[1]),
    ...{ level, levelWidth, levelHeight, toFull },
    ...(same ? {} : { factors }),
    mpp: [mpp[0] * toFull[0], mpp[1] * toFull[1]],
  };
}

/**
 * The grid of a model on a slide.
 *
 * @param mpp of the slide's full resolution
 * @param wanted the model's micrometres per pixel; undefined for a model that takes slides as they are
 * @throws UamError `UAM_DATA` where the slide is much coarser or finer than the model
 */
export function gridFor(slide: Slide, mpp: readonly [x: number, y: number], wanted: number | undefined): SlideGrid {
  if (wanted === undefined) return gridAt(slide, mpp, [1, 1]);
  const scale: Factors = [wanted / mpp[0], wanted / mpp[1]];
  const far = scale.some((by) => by < 1 / MOST || by > 100);
  if (far) {
    throw new UamError(
      'UAM_DATA',
      `${slide.name}: its pixels of ${mpp.map((size) => Number(size.toPrecision(3))).join(' x ')} um do not go with a model of ${wanted} um ` +
        'per pixel: check mpp, or take a model of another magnification',
    );
  }
  return gridAt(slide, mpp, scale);
}
