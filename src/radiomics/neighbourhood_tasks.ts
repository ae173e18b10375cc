// Where each cell stands among the others: computed once for all cells, then handed out block by block.
import type { Cells } from '../cells/cells.js';
import type { RasterImage } from '../image/image.js';
import type { Task } from './class_tasks.js';
import { chosenColumns, type Request } from './extract_options.js';
import { MAIN_SHAPES, MAIN_TEXTURES } from './main_features.js';
import { type AveragedFeature, neighbourhood, neighbourhoodFeatures } from './neighbourhood.js';

const NEIGHBOURHOOD_NAMES = Object.freeze(
  neighbourhoodFeatures([...MAIN_SHAPES, ...MAIN_TEXTURES].map((name) => ({ name }))).map(({ name }) => name),
);

/** Whether the choice asks for anything of the neighbourhood. */
export const neighbourhoodChosen = ({ choice }: Request): boolean => chosenColumns(choice, 'neighbourhood').length > 0;

/** What has to be computed of every cell before its neighbours can have the mean of it. */
export const averagedChoice = (): Record<string, string[]> => {
  const choice: Record<string, string[]> = {};
  for (const name of [...MAIN_SHAPES, ...MAIN_TEXTURES]) {
    const [of = '', feature = ''] = name.split('_');
    choice[of] = [...(choice[of] ?? []), feature];
  }
  return choice;
};

/** The task of the neighbourhood; `main` computes the features that are averaged. */
export async function neighbourhoodTask(image: RasterImage, cells: Cells, main: readonly Task[], request: Request): Promise<Task> {
  const wantedNames = chosenColumns(request.choice, 'neighbourhood').map((at) => NEIGHBOURHOOD_NAMES[at] as string);
  const features: AveragedFeature[] = [];
  for (const task of main) {
    const rows = await task.run(0, cells.count, { signal: request.signal });
    task.columns.forEach(({ name, unit }, at) => {
      const place = task.places[at] as number;
      const data = Float64Array.from({ length: cells.count }, (_, row) => rows[row * task.width + place] as number);
      features.push({ name, unit, data });
    });
  }
  const { width, height } = image;
  const mpp = request.physical ? request.spacing : undefined;
  const all = await neighbourhood(cells.centroids, { width, height, mpp, features, ...(request.signal && { signal: request.signal }) });
  // A mean of each channel answers to the name it has in the catalogue, which knows no channel: ..._firstorder_Mean.
  const columns = all.filter(({ name }) => wantedNames.some((wanted) => answers(name, wanted)));
  return {
    columns: columns.map(({ name, unit, definition }) => ({ name, unit, definition })),
    places: columns.map((_, at) => at),
    width: columns.length,
    run: async (from, to) => {
      const rows = new Float64Array((to - from) * columns.length);
      columns.forEach(({ data }, column) => {
        for (let row = 0; row < to - from; row++) rows[row * columns.length + column] = data[from + row] as number;
      });
      return rows;
    },
  };
}

/** `neighbourhood_Mean15um_haematoxylin_firstorder_Mean` answers to `neighbourhood_Mean15um_firstorder_Mean`. */
function answers(name: string, wanted: string): boolean {
  if (name === wanted) return true;
  const [start = '', rest] = wanted.split(/(?<=um_)/);
  return rest !== undefined && name.startsWith(start) && name.endsWith(`_${rest}`);
}
