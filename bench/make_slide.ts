// node build/js/bench/make_slide.js --side 20000 --out slide.tif [--region region.tif] [--cells cells.csv]
import { parseArgs } from 'node:util';
import { writeWhole } from '../src/files/write_whole.js';
import { syntheticSlide } from './synthetic_slide.js';

const usage = `node build/js/bench/make_slide.js --out slide.tif [options]    makes a slide of demo tissue, 0.5 um per pixel
  --side n        pixels of a side, default 20000 (about 300,000 nuclei); 10000 is the quarter
  --region file   also writes the mask of tumour nests, a pyramid TIFF of 0 and 1
  --cells file    also writes the nuclei, CSV: x, y (pixels), class
  --seed n        another slide, default 0
  --tissue share  how much of it is tissue, 0 to 1, default 0.4
  --kinds n       how many tiles it is put together of, default 12`;

const { values } = parseArgs({
  options: {
    out: { type: 'string' },
    side: { type: 'string', default: '20000' },
    region: { type: 'string' },
    cells: { type: 'string' },
    seed: { type: 'string', default: '0' },
    tissue: { type: 'string', default: '0.4' },
    kinds: { type: 'string', default: '12' },
    help: { type: 'boolean', default: false },
  },
});

function number(name: string, text: string, least: number, most: number, whole = true): number {
  const value = Number(text);
  if (value >= least && value <= most && (!whole || Number.isInteger(value))) return value;
  throw new Error(`--${name} must be ${whole ? 'a whole number ' : ''}from ${least} to ${most}, received '${text}'\n${usage}`);
}

if (values.help || !values.out) {
  console.log(usage);
  process.exitCode = values.help ? 0 : 2;
} else {
  const { out, region, cells } = values;
  const begun = performance.now();
  let told = begun;
  const slide = await syntheticSlide({
    ...{ out, region },
    side: number('side', values.side, 64, 200_000),
    seed: number('seed', values.seed, 0, 1_000_000),
    tissue: number('tissue', values.tissue, 0.01, 1, false),
    kinds: number('kinds', values.kinds, 1, 100),
    onProgress(done, total) {
      if (performance.now() - told < 5000) return;
      told = performance.now();
      console.error(`${Math.round((100 * done) / total)} %`);
    },
  });
  const lines = slide.nuclei.map(({ x, y, kind }) => `${x},${y},${slide.classNames[kind]}`);
  if (cells) await writeWhole(cells, [Buffer.from(`x,y,class\n${lines.join('\n')}\n`)]);
  const share = (pixels: number) => (pixels / Number(values.side) ** 2).toFixed(3);
  console.log(
    `${out}: ${slide.nuclei.length} nuclei, tissue ${share(slide.tissuePixels)}, tumour nests ${share(slide.tumourPixels)} of the slide; ` +
      `${((performance.now() - begun) / 1000).toFixed(1)} s`,
  );
}
