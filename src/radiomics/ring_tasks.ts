// The ring about each nucleus: first-order and GLCM features of it, and how the nucleus differs from it.
import type { Cells } from '../cells/cells.js';
import type { LabelMask } from '../image/image.js';
import { type ColumnHead, type Task, type TexturePlane, textureTasks } from './class_tasks.js';
import { chosenColumns, type Request } from './extract_options.js';
import { RING_CLASSES, RING_DIFFERENCES, ringMaskAsync } from './ring.js';
import { type RoiMask, roiMask } from './roi.js';

/** Whether the choice asks for anything of rings. */
export const ringsChosen = ({ choice }: Request): boolean =>
  [...Object.keys(RING_CLASSES), 'ring_difference'].some((name) => chosenColumns(choice, name).length > 0);

/** Tasks on the rings for every plane. */
export async function ringTasks(mask: LabelMask, cells: Cells, planes: readonly TexturePlane[], request: Request): Promise<Task[]> {
  const { ringWidth, spacing, signal } = request;
  const rings = await ringMaskAsync(mask, cells, ringWidth, spacing, { signal });
  const nuclei = (from: number, to: number): RoiMask => roiMask(mask, cells, from, to);
  const around = (from: number, to: number): RoiMask => roiMask(rings.mask, { ...cells, boxes: rings.boxes }, from, to);
  return planes.flatMap((plane) => {
    const own = textureTasks(around, { ...plane, prefix: `${plane.prefix}ring_` }, { ...request, choice: ringChoice(request) });
    return [...own.map(silent), ...differenceTask(nuclei, around, plane, request)];
  });
}

/** An empty ring says nothing of its cell's status. */
const silent = (task: Task): Task => ({ ...task, decidesStatus: undefined });

/** What is chosen of the rings, under the names of the classes that compute it. */
function ringChoice({ choice }: Request): Request['choice'] {
  const entries = Object.entries(RING_CLASSES).flatMap(([name, of]) => {
    const chosen = Object.hasOwn(choice, name) ? choice[name] : undefined;
    return chosen === undefined ? [] : [[of, chosen]];
  });
  return Object.fromEntries(entries);
}

type Regions = (from: number, to: number) => RoiMask;

/** Nucleus minus ring. */
function differenceTask(nuclei: Regions, around: Regions, plane: TexturePlane, request: Request): Task[] {
  const wanted = chosenColumns(request.choice, 'ring_difference').map((at) => RING_DIFFERENCES[at] as string);
  if (wanted.length === 0) return [];
  const choice: Record<string, string[]> = {};
  for (const name of wanted) {
    const [of = '', feature = ''] = name.split('_');
    choice[of] = [...(choice[of] ?? []), feature];
  }
  const [inside, outside] = [nuclei, around].map((regions) => textureTasks(regions, plane, { ...request, choice })) as [Task[], Task[]];
  const columns = inside.flatMap((task) => task.columns);
  const head = ({ name, unit, definition }: ColumnHead): ColumnHead => ({
    name: `${plane.prefix}ring_difference_${name.slice(plane.prefix.length)}`,
    unit,
    definition: `of the nucleus minus that of its ring: ${definition}`,
  });
  const width = columns.length;
  return [
    {
      columns: columns.map(head),
      places: columns.map((_, at) => at),
      width,
      run: async (from, to, options) => {
        const rows = new Float64Array((to - from) * width);
        for (const [tasks, sign] of [
          [inside, 1],
          [outside, -1],
        ] as const) {
          let column = 0;
          for (const task of tasks) {
            const values = await task.run(from, to, options);
            for (const place of task.places) {
              for (let row = 0; row < to - from; row++) {
                const at = row * width + column;
                rows[at] = (rows[at] as number) + sign * (values[row * task.width + place] as number);
              }
              column++;
            }
          }
        }
        return rows;
      },
    },
  ];
}
