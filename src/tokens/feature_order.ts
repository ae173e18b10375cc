/** Column names of radiomics: `glcm_Contrast`, `haematoxylin_original_glcm_Contrast`, `neighbourhood_Mean15um_original_firstorder_Mean`. */
const ABOUT_OTHERS = /(?:^|_)(neighbourhood|ring|difference)_/i;

/** The family of a feature: the class that computed it, or what it speaks of where that is not the nucleus itself. */
export function featureFamily(name: string): string {
  const other = ABOUT_OTHERS.exec(name)?.[1];
  if (other) return other.toLowerCase();
  const parts = name.split('_');
  return parts.length > 1 ? (parts.at(-2) as string) : '';
}

const before = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);

/** Names by family, then by name, in the order of their characters whatever the language of the system. */
export function orderFeatures(names: readonly string[]): string[] {
  return [...names].sort((a, b) => before(featureFamily(a), featureFamily(b)) || before(a, b));
}
