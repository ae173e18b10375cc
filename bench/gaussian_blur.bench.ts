import { gaussianBlur } from '../src/image/gaussian_blur.js';
import type { TimedCase } from './harness.js';

const side = 2048;

const cases: TimedCase[] = [1, 4].map((sigma) => ({
  name: `${side} x ${side} pixels, sigma ${sigma}`,
  setup: () => {
    const plane = Float32Array.from({ length: side * side }, (_, i) => i % 251);
    return () => void gaussianBlur(plane, side, side, sigma);
  },
  work: { bytes: 8 * side * side, flops: 2 * (1 + 3 * 4 * sigma) * side * side },
}));

export default cases;
