// Slides of any size: the public API of `slides`.
export { analyseSlide, type SlideAnalysis, type SlideOptions } from './analyse_slide.js';
export type { SlideInput } from './prepare_slide.js';
export type { SlideRecord } from './slide_record.js';
export type { SlideProgress } from './slide_run.js';
