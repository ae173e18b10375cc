import { sampleBilinear, Tensor } from '../src/index.js';
import type { TimedCase } from './harness.js';
import { backwardPass, forwardPass, random } from './passes.js';

const [side, channels, points] = [128, 128, 4096]; // the cells of a tile on a feature map
const image = Tensor.zeros([points], 'int32');

function tensors(): [map: Tensor, position: Tensor] {
  const position = random([points, 2]);
  for (let i = 0; i < position.size; i++) position.data[i] = (((position.data[i] as number) + 1) / 2) * (side - 1);
  return [random([1, side, side, channels]), position];
}

const cases: TimedCase[] = [
  {
    name: `forward ${points} points, map ${side}x${side}x${channels}`,
    setup: () => {
      const [map, position] = tensors();
      return forwardPass(() => sampleBilinear(map, position, image));
    },
    work: { bytes: 20 * points * channels },
  },
  {
    name: `backward ${points} points, map ${side}x${side}x${channels}`,
    setup: () => {
      const [map, position] = tensors();
      return backwardPass([map], () => sampleBilinear(map, position, image));
    },
    work: { bytes: 4 * channels * (points + side * side) },
  },
];

export default cases;
