import { UamError } from '../errors.js';
import { orderFeatures } from '../tokens/feature_order.js';
import { fitScaling, type Scaling, type ScalingOptions } from '../tokens/scaling.js';
import type { CellDataset } from './dataset.js';
import type { Pace } from './pace.js';

/** The values of one feature over all samples. */
function columnOf({ samples, cells }: CellDataset, name: string): Float64Array {
  const data = new Float64Array(cells);
  let at = 0;
  for (const { table } of samples) {
    data.set(table.columns.find((column) => column.name === name)?.data as ArrayLike<number>, at);
    at += table.length;
  }
  return data;
}

/**
 * `fitScaling` over the cells of a dataset, feature by feature, so that neither the event loop nor memory is held for long.
 *
 * @param training cells of training patients alone
 * @param excluded features that the model shall not see
 * @throws UamError `UAM_DATA` where no feature varies
 */
export async function scalingOf(
  training: CellDataset,
  options: ScalingOptions,
  excluded: (name: string) => boolean,
  pace: Pace,
): Promise<Scaling> {
  const parts: Scaling[] = [];
  for (const name of orderFeatures(training.features.filter((feature) => !excluded(feature)))) {
    try {
      parts.push(fitScaling({ length: training.cells, columns: [{ name, data: columnOf(training, name) }] }, options));
    } catch (error) {
      if (!(error instanceof UamError && error.code === 'UAM_DATA')) throw error; // a constant feature is left out
    }
    await pace.rest();
  }
  const [first] = parts;
  if (!first)
    throw new UamError(
      'UAM_DATA',
      `fit: none of the ${training.features.length} features varies among the ${training.cells} training cells`,
    );
  return {
    names: parts.flatMap(({ names }) => names),
    centers: parts.flatMap(({ centers }) => centers),
    scales: parts.flatMap(({ scales }) => scales),
    clip: first.clip,
    method: first.method,
  };
}
