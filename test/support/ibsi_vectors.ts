// Runs shared/vectors/ibsi: the digital phantom of the Image Biomarker Standardisation Initiative and its consensus values
// (Zwanenburg et al., Radiology 2020;295:328-338; CC BY 4.0). Its four slices are features of planes; values of volumes are listed,
// by name, as not applicable.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { packageRoot } from '../../src/native/load.js';
import type { Settings } from '../../src/radiomics/settings.js';
import { oneRegion, runClass } from './radiomics_vectors.js';

interface Reference {
  tag: string;
  aggregation: string | null;
  value: number | null;
}

export interface IbsiPhantom {
  /** Grey levels: slices of rows. */
  image: number[][][];
  mask: number[][][];
  features: Reference[];
}

export interface IbsiResult {
  tag: string;
  /** What computes it here; absent where nothing does. */
  feature?: string;
  expected: number | null;
  received?: number;
  passed: boolean;
}

/** IBSI's tags, without their aggregation, and the features that answer them. */
const FEATURES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  firstorder: {
    stat_mean: 'Mean',
    stat_var: 'Variance',
    stat_skew: 'Skewness',
    stat_kurt: 'Kurtosis',
    stat_median: 'Median',
    stat_min: 'Minimum',
    stat_p10: '10Percentile',
    stat_p90: '90Percentile',
    stat_max: 'Maximum',
    stat_iqr: 'InterquartileRange',
    stat_range: 'Range',
    stat_mad: 'MeanAbsoluteDeviation',
    stat_rmad: 'RobustMeanAbsoluteDeviation',
    stat_energy: 'Energy',
    stat_rms: 'RootMeanSquared',
    ih_entropy: 'Entropy',
    ih_uniformity: 'Uniformity',
  },
  glcm: {
    cm_joint_max: 'MaximumProbability',
    cm_joint_avg: 'JointAverage',
    cm_joint_var: 'SumSquares',
    cm_joint_entr: 'JointEntropy',
    cm_diff_avg: 'DifferenceAverage',
    cm_diff_var: 'DifferenceVariance',
    cm_diff_entr: 'DifferenceEntropy',
    cm_sum_avg: 'SumAverage',
    cm_sum_var: 'SumVariance',
    cm_sum_entr: 'SumEntropy',
    cm_energy: 'JointEnergy',
    cm_contrast: 'Contrast',
    cm_dissimilarity: 'Dissimilarity',
    cm_inv_diff: 'Id',
    cm_inv_diff_norm: 'Idn',
    cm_inv_diff_mom: 'Idm',
    cm_inv_diff_mom_norm: 'Idmn',
    cm_inv_var: 'InverseVariance',
    cm_corr: 'Correlation',
    cm_auto_corr: 'Autocorrelation',
    cm_clust_tend: 'ClusterTendency',
    cm_clust_shade: 'ClusterShade',
    cm_clust_prom: 'ClusterProminence',
    cm_info_corr1: 'Imc1',
    cm_info_corr2: 'Imc2',
  },
  glrlm: {
    rlm_sre: 'ShortRunEmphasis',
    rlm_lre: 'LongRunEmphasis',
    rlm_lgre: 'LowGrayLevelRunEmphasis',
    rlm_hgre: 'HighGrayLevelRunEmphasis',
    rlm_srlge: 'ShortRunLowGrayLevelEmphasis',
    rlm_srhge: 'ShortRunHighGrayLevelEmphasis',
    rlm_lrlge: 'LongRunLowGrayLevelEmphasis',
    rlm_lrhge: 'LongRunHighGrayLevelEmphasis',
    rlm_glnu: 'GrayLevelNonUniformity',
    rlm_glnu_norm: 'GrayLevelNonUniformityNormalized',
    rlm_rlnu: 'RunLengthNonUniformity',
    rlm_rlnu_norm: 'RunLengthNonUniformityNormalized',
    rlm_r_perc: 'RunPercentage',
    rlm_gl_var: 'GrayLevelVariance',
    rlm_rl_var: 'RunVariance',
    rlm_rl_entr: 'RunEntropy',
  },
  glszm: {
    szm_sze: 'SmallAreaEmphasis',
    szm_lze: 'LargeAreaEmphasis',
    szm_lgze: 'LowGrayLevelZoneEmphasis',
    szm_hgze: 'HighGrayLevelZoneEmphasis',
    szm_szlge: 'SmallAreaLowGrayLevelEmphasis',
    szm_szhge: 'SmallAreaHighGrayLevelEmphasis',
    szm_lzlge: 'LargeAreaLowGrayLevelEmphasis',
    szm_lzhge: 'LargeAreaHighGrayLevelEmphasis',
    szm_glnu: 'GrayLevelNonUniformity',
    szm_glnu_norm: 'GrayLevelNonUniformityNormalized',
    szm_zsnu: 'SizeZoneNonUniformity',
    szm_zsnu_norm: 'SizeZoneNonUniformityNormalized',
    szm_z_perc: 'ZonePercentage',
    szm_gl_var: 'GrayLevelVariance',
    szm_zs_var: 'ZoneVariance',
    szm_zs_entr: 'ZoneEntropy',
  },
  ngtdm: {
    ngt_coarseness: 'Coarseness',
    ngt_contrast: 'Contrast',
    ngt_busyness: 'Busyness',
    ngt_complexity: 'Complexity',
    ngt_strength: 'Strength',
  },
  gldm: {
    ngl_lde: 'SmallDependenceEmphasis',
    ngl_hde: 'LargeDependenceEmphasis',
    ngl_lgce: 'LowGrayLevelEmphasis',
    ngl_hgce: 'HighGrayLevelEmphasis',
    ngl_ldlge: 'SmallDependenceLowGrayLevelEmphasis',
    ngl_ldhge: 'SmallDependenceHighGrayLevelEmphasis',
    ngl_hdlge: 'LargeDependenceLowGrayLevelEmphasis',
    ngl_hdhge: 'LargeDependenceHighGrayLevelEmphasis',
    ngl_glnu: 'GrayLevelNonUniformity',
    ngl_glnu_norm: 'GrayLevelNonUniformityNormalized',
    ngl_dcnu: 'DependenceNonUniformity',
    ngl_dcnu_norm: 'DependenceNonUniformityNormalized',
    ngl_dc_perc: 'DependencePercentage',
    ngl_gl_var: 'GrayLevelVariance',
    ngl_dc_var: 'DependenceVariance',
    ngl_dc_entr: 'DependenceEntropy',
  },
};

/** The endings of tags, and the setting that gives their aggregation: by slice and direction, and by slice with directions merged. */
const AGGREGATIONS: Readonly<Record<string, Partial<Settings>>> = {
  _2D_avg: {},
  _2D_comb: { weightingNorm: 'no_weighting' },
  _2D: {},
};

/** Whether a value speaks of planes; the others need a volume. */
export const isPlanar = ({ aggregation }: Reference): boolean => aggregation === null || aggregation.startsWith('2D');

const rounded = (value: number): number => Number(value.toPrecision(3));

export const isIbsiFolder = (folder: string): boolean => existsSync(join(folder, 'phantom.json'));

/** The phantom of a folder. */
export function ibsiFolder(folder: string): IbsiPhantom {
  const { image, mask } = JSON.parse(readFileSync(join(folder, 'phantom.json'), 'utf8'));
  const { features } = JSON.parse(readFileSync(join(folder, 'reference_digital_phantom.json'), 'utf8'));
  return { image, mask, features };
}

/** The phantom that the repository carries. */
export const ibsiFixture = (): IbsiPhantom =>
  JSON.parse(gunzipSync(readFileSync(join(packageRoot(), 'test/fixtures/ibsi.json.gz'))).toString());

/** Every value of the digital phantom: what computes it, and whether it agrees to three digits. */
export function runIbsi({ image, mask, features }: IbsiPhantom): IbsiResult[] {
  return features.map((reference): IbsiResult => {
    const { tag, value: expected } = reference;
    const ending = Object.keys(AGGREGATIONS).find((end) => tag.endsWith(end)) ?? '';
    const base = tag.slice(0, tag.length - ending.length);
    const [name, names] = Object.entries(FEATURES).find(([, entries]) => Object.hasOwn(entries, base)) ?? [];
    if (!name || !names || !isPlanar(reference) || expected === null) return { tag, expected, passed: true };
    const feature = names[base] as string;
    const settings: Partial<Settings> = { binWidth: 1, standard: 'ibsi', ...AGGREGATIONS[ending] };
    // Intensity statistics do not ask where a pixel is: the slices are laid side by side. Texture is the mean over slices.
    const slices: { image: number[][]; mask: number[][] }[] =
      name === 'firstorder'
        ? [{ image: image.flat(), mask: mask.flat() }]
        : image.map((slice, z) => ({ image: slice, mask: mask[z] as number[][] }));
    const values = slices.map((slice) => {
      const regions = oneRegion(slice.mask.flat(), [slice.mask.length, (slice.mask[0] as number[]).length]);
      const { names: columns, rows } = runClass(name, regions, Float64Array.from(slice.image.flat()), settings);
      return rows[columns.indexOf(feature)] as number;
    });
    const received = values.reduce((a, b) => a + b, 0) / values.length;
    return { tag, feature: `${name}_${feature}`, expected, received, passed: rounded(received) === rounded(expected) };
  });
}
