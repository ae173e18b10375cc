import { stainPlanes } from '../src/image/stains.js';
import type { TimedCase } from './harness.js';

const side = 2048;

const cases: TimedCase[] = [
  {
    name: `haematoxylin and eosin of ${side} x ${side} pixels`,
    setup: () => {
      const data = Uint8Array.from({ length: side * side * 3 }, (_, i) => (Math.imul(i, 2654435761) >>> 9) & 255);
      return () => void stainPlanes({ width: side, height: side, channels: 3, data }, { planes: ['haematoxylin', 'eosin'] });
    },
    work: { bytes: 11 * side * side, flops: 4 * side * side },
  },
];

export default cases;
