import { UamError } from '../errors.js';
import { orderFeatures } from '../tokens/feature_order.js';
import { fitScaling, type Scaling, type ScalingOptions } from '../tokens/scaling.js';
import type { CellDataset } from './dataset.js';
import { FeatureRows } from './feature_rows.js';
import type { Pace } from './pace.js';

/** The values of one feature over all samples. */
async function columnOf({ samples, cells }: CellDataset, name: string, pace: Pace): Promise<Float64Array> {
  const data = new Float64Array(cells);
  const placeIn = new Map<readonly string[], number>(); // samples of one origin share their list of names
  let at = 0;
  for (const { table } of samples) {
    if (table instanceof FeatureRows) {
      const { names } = table.matrix;
      const place = placeIn.get(names) ?? names.indexOf(name);
      placeIn.set(names, place);
      table.copyColumn(place, data, at);
    } else {
      data.set(table.columns.find((column) => column.name === name)?.data as ArrayLike<number>, at);
    }
    at += table.length;
    await pace.rest();
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
      parts.push(fitScaling({ length: training.cells, columns: [{ name, data: await columnOf(training, name, pace) }] }, options));
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
