import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { packageRoot } from '../../src/native/load.js';
import { seeded } from '../../src/train/seeded.js';
import { checkLeakage, groupedFolds, type SplitSamples, splitByPatient } from '../../src/train/split.js';

/** Patients with unequal numbers of cells, each with its own mixture of three classes. */
function cohort(patients: number, seed: number): Required<SplitSamples> {
  const random = seeded(seed);
  const cells = Array.from({ length: patients }, (_, g) => {
    const mixture = [random(), random(), random() ** 3];
    const sum = mixture.reduce((a, b) => a + b, 0);
    return Array.from({ length: 20 + Math.floor(random() * 300) }, () => {
      let left = random() * sum;
      return { patient: `p${g}`, own: mixture.findIndex((share) => (left -= share) < 0) };
    });
  }).flat();
  return { patients: cells.map(({ patient }) => patient), classes: cells.map(({ own }) => own) };
}

const anySamples = fc
  .array(fc.tuple(fc.integer({ min: 0, max: 9 }), fc.integer({ min: -1, max: 2 })), { minLength: 1, maxLength: 60 })
  .map((cells) => ({ patients: cells.map(([p]) => `p${p}`), classes: cells.map(([, c]) => c) }));

t.test('parts share no patient, hold every cell, and are never empty', async () => {
  fc.assert(
    fc.property(anySamples, fc.integer({ min: 0, max: 100 }), (samples, seed) => {
      const known = new Set(samples.patients).size;
      fc.pre(known >= 3);
      const { part, patients } = splitByPatient(samples, [0.6, 0.2, 0.2], seed);
      checkLeakage(Object.fromEntries(patients.map((names, i) => [`part ${i}`, names])));
      return (
        patients.every((names) => names.length > 0) &&
        patients.flat().length === known &&
        samples.patients.every((name, i) => patients[part[i] as number]?.includes(name))
      );
    }),
  );
});

t.test('the order of the cells does not matter, the seed does', async (t) => {
  const { patients, classes } = cohort(40, 1);
  const split = splitByPatient({ patients, classes }, [0.7, 0.15, 0.15], 1);
  const turned = splitByPatient({ patients: patients.toReversed(), classes: Array.from(classes).reverse() }, [0.7, 0.15, 0.15], 1);
  t.same(turned.patients, split.patients);
  t.notSame(splitByPatient({ patients, classes }, [0.7, 0.15, 0.15], 2).patients, split.patients);
});

t.test('classes are spread as evenly as whole patients allow', async (t) => {
  const { patients, classes } = cohort(83, 7);
  const totals = [0, 1, 2].map((c) => Array.from(classes).filter((own) => own === c).length);
  const folds = groupedFolds({ patients, classes }, 5, 0);
  for (const { test, train, validation } of folds) {
    const share = (indices: Uint32Array, c: number) => indices.filter((i) => classes[i] === c).length / (totals[c] as number);
    for (const c of [0, 1, 2]) {
      t.ok(Math.abs(share(test, c) - 0.2) < 0.01, `class ${c}: ${share(test, c)} of a fold`);
      t.ok(Math.abs(share(validation, c) - 0.12) < 0.02, `class ${c}: ${share(validation, c)} for validation`);
    }
    t.ok(Math.abs(new Set(Array.from(test, (i) => patients[i])).size - 83 / 5) < 3);
    t.equal(train.length + validation.length + test.length, patients.length);
  }
  t.same(
    folds.flatMap(({ test }) => [...test]).sort((a, b) => a - b),
    patients.map((_, i) => i),
    'each cell is tested once',
  );
});

t.test('as even as the best of all splits of few patients', async (t) => {
  const { patients, classes } = cohort(10, 3);
  const names = [...new Set(patients)];
  const count = (name: string, c: number) => patients.filter((own, i) => own === name && classes[i] === c).length;
  const counts = names.map((name) => [1, count(name, 0), count(name, 1), count(name, 2)]);
  const totals = [0, 1, 2, 3].map((c) => counts.reduce((sum, own) => sum + (own[c] as number), 0));
  const distance = (second: (i: number) => boolean) =>
    totals.reduce((sum, total, c) => {
      const held = counts.reduce((own, list, i) => own + (second(i) ? (list[c] as number) : 0), 0);
      return sum + 2 * (held / total - 0.5) ** 2;
    }, 0);
  const all = Array.from({ length: 2 ** 10 - 2 }, (_, i) => distance((p) => Boolean((i + 1) & (1 << p)))).sort((a, b) => a - b);
  const split = splitByPatient({ patients, classes }, [1, 1]);
  const own = distance((i) => split.patients[1]?.includes(names[i] as string) ?? false);
  t.ok(own <= (all[Math.floor(all.length * 0.03)] as number), `${own}; the best is ${all[0]}, the middle ${all[511]}`);
});

t.test('a patient in two parts is named', async (t) => {
  checkLeakage({ train: ['a', 'b', 'a'], validation: [], test: ['c'] });
  t.throws(() => checkLeakage({ train: ['a', 'b'], test: ['c', 'b'] }), { code: 'UAM_DATA', message: /patient b is in train and in test/ });
  const many = Array.from({ length: 9 }, (_, i) => `p${i}`);
  t.throws(() => checkLeakage({ train: many, test: many }), { message: /p0.*p1.*p2.*and 6 more/ });
});

const images = join(packageRoot(), '../shared/data/brca_m2c/images.csv');
t.test('the official split of BRCA-M2C leaks', { skip: existsSync(images) ? false : '../shared/data is absent' }, async (t) => {
  const rows = readFileSync(images, 'utf8')
    .trim()
    .split('\n')
    .slice(1)
    .map((line) => line.split(',')); // prettier-ignore
  const of = (split: string) => rows.filter((row) => row[2] === split).map((row) => row[1] as string);
  t.throws(() => checkLeakage({ train: of('train'), val: of('val') }), {
    code: 'UAM_DATA',
    message: /TCGA-A7-A0DB.*TCGA-A7-A13G|TCGA-A7-A13G.*TCGA-A7-A0DB/,
  });
});

t.test('refusals', async (t) => {
  const samples = { patients: ['a', 'b', 'c'], classes: [0, 1, 2] };
  t.throws(() => splitByPatient(samples, [1]), { code: 'UAM_ARGUMENT' });
  t.throws(() => splitByPatient(samples, [1, 0]), { code: 'UAM_ARGUMENT' });
  t.throws(() => splitByPatient(samples, [1, 1], 0.5), { code: 'UAM_ARGUMENT' });
  t.throws(() => splitByPatient(samples, [1, 1, 1, 1]), { code: 'UAM_DATA', message: /3 patients cannot fill 4 parts/ });
  t.throws(() => splitByPatient({ ...samples, classes: [0] }, [1, 1]), { code: 'UAM_SHAPE' });
  t.throws(() => splitByPatient({ patients: ['a', ''] }, [1, 1]), { code: 'UAM_DATA', message: /cell 1 has no patient/ });
  t.throws(() => splitByPatient({ patients: ['a', 'b'], classes: [0, 0.5] }, [1, 1]), { code: 'UAM_DATA' });
  t.throws(() => groupedFolds(samples, 1), { code: 'UAM_ARGUMENT' });
  t.throws(() => groupedFolds(samples, 3, 0, 1), { code: 'UAM_ARGUMENT' });
  t.throws(() => groupedFolds({ patients: ['a', 'b'] }, 2), { code: 'UAM_DATA' });
});
