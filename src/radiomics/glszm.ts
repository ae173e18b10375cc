import { hostKernel } from '../native/call.js';
import { type FeatureDefinition, type TextureClass, writeMatrix } from './feature_class.js';
import { gatherRoi, type Roi, type RoiInput } from './roi.js';
import { countPairs, describeSizes, type SizeEntry } from './size_matrix.js';

const features: readonly FeatureDefinition[] = [
  { name: 'GrayLevelNonUniformity', unit: '1', definition: 'sum over grey levels of (zones of the level)^2, / zones' },
  { name: 'GrayLevelNonUniformityNormalized', unit: '1', definition: 'GrayLevelNonUniformity / zones' },
  { name: 'GrayLevelVariance', unit: '1', definition: 'variance of the grey level over zones' },
  { name: 'HighGrayLevelZoneEmphasis', unit: '1', definition: 'mean i^2 over zones, i the grey level' },
  { name: 'LargeAreaEmphasis', unit: '1', definition: 'mean j^2 over zones, j the pixels of the zone' },
  { name: 'LargeAreaHighGrayLevelEmphasis', unit: '1', definition: 'mean i^2 j^2 over zones' },
  { name: 'LargeAreaLowGrayLevelEmphasis', unit: '1', definition: 'mean j^2 / i^2 over zones' },
  { name: 'LowGrayLevelZoneEmphasis', unit: '1', definition: 'mean 1 / i^2 over zones' },
  { name: 'SizeZoneNonUniformity', unit: '1', definition: 'sum over sizes of (zones of the size)^2, / zones' },
  { name: 'SizeZoneNonUniformityNormalized', unit: '1', definition: 'SizeZoneNonUniformity / zones' },
  { name: 'SmallAreaEmphasis', unit: '1', definition: 'mean 1 / j^2 over zones' },
  { name: 'SmallAreaHighGrayLevelEmphasis', unit: '1', definition: 'mean i^2 / j^2 over zones' },
  { name: 'SmallAreaLowGrayLevelEmphasis', unit: '1', definition: 'mean 1 / (i^2 j^2) over zones' },
  { name: 'ZoneEntropy', unit: 'bits', definition: '-sum p log2(p + eps) of the pairs (i, j)' },
  { name: 'ZonePercentage', unit: '1', definition: 'zones / pixels' },
  { name: 'ZoneVariance', unit: '1', definition: 'variance of the size over zones' },
];

interface Params extends RoiInput {
  out: Float64Array;
}

/** Pixels of one grey level that touch, corners included, make a zone. */
function zones(roi: Roi): SizeEntry[] {
  const met = new Set<string>();
  const found: SizeEntry[] = [];
  for (const { x, y, level } of roi.pixels) {
    if (met.has(`${x} ${y}`)) continue;
    met.add(`${x} ${y}`);
    const zone = [{ x, y }];
    for (const pixel of zone) {
      for (const dy of [-1, 0, 1]) {
        for (const dx of [-1, 0, 1]) {
          const next = { x: pixel.x + dx, y: pixel.y + dy };
          const key = `${next.x} ${next.y}`;
          if (roi.levelAt(next.x, next.y) !== level || met.has(key)) continue;
          met.add(key);
          zone.push(next); // the loop over `zone` comes to it
        }
      }
    }
    found.push({ level, size: zone.length, count: 1 });
  }
  return countPairs(found);
}

function describe(p: Params, r: number): number[] {
  const roi = gatherRoi(p, r);
  const entries = roi.pixels.length > 1 ? zones(roi) : [];
  if (r === 0) {
    writeMatrix(
      p.matrix,
      entries.map(({ level, size, count }) => [level - 1, size - 1, count, 0]),
    );
  }
  if (entries.length === 0) return features.map(() => Number.NaN);
  const f = describeSizes(entries);
  const row: Record<string, number> = {
    GrayLevelNonUniformity: f.levelNonUniformity,
    GrayLevelNonUniformityNormalized: f.levelNonUniformityNormalized,
    GrayLevelVariance: f.levelVariance,
    HighGrayLevelZoneEmphasis: f.highLevel,
    LargeAreaEmphasis: f.large,
    LargeAreaHighGrayLevelEmphasis: f.largeHigh,
    LargeAreaLowGrayLevelEmphasis: f.largeLow,
    LowGrayLevelZoneEmphasis: f.lowLevel,
    SizeZoneNonUniformity: f.sizeNonUniformity,
    SizeZoneNonUniformityNormalized: f.sizeNonUniformityNormalized,
    SmallAreaEmphasis: f.small,
    SmallAreaHighGrayLevelEmphasis: f.smallHigh,
    SmallAreaLowGrayLevelEmphasis: f.smallLow,
    ZoneEntropy: f.entropy,
    ZonePercentage: f.percentage,
    ZoneVariance: f.sizeVariance,
  };
  return features.map(({ name }) => row[name] as number);
}

function reference(p: Params): void {
  for (let r = 0; r < p.rois; r++) p.out.set(describe(p, r), r * features.length);
}

/** Connected zones of equal grey level. */
export const glszm: TextureClass<Params> = {
  name: 'glszm',
  source: 'PyRadiomics 3.1 radiomics.glszm; IBSI 3.8',
  features,
  kernel: hostKernel('glszm', reference),
  params: (input, _settings, _spacing, out) => ({ ...input, out }),
};
