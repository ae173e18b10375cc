/** The known names that look most like what somebody wrote, best first: for error messages. */
export function nearNames(written: string, known: readonly string[], limit = 3): string[] {
  const plain = simplify(written);
  const scored = known
    .map((name) => ({ name, distance: distance(plain, simplify(name)) }))
    .filter(({ distance }) => distance <= Math.max(2, plain.length / 3));
  scored.sort((a, b) => a.distance - b.distance || (a.name < b.name ? -1 : 1));
  return scored.slice(0, limit).map(({ name }) => name);
}

/** "did you mean 'a' or 'b'?", or nothing where no name is near. */
export function didYouMean(written: string, known: readonly string[]): string {
  const names = nearNames(written, known).map((name) => `'${name}'`);
  if (names.length === 0) return '';
  const last = names.pop() as string;
  return `did you mean ${names.length > 0 ? `${names.join(', ')} or ` : ''}${last}?`;
}

// Case and separators are what people get wrong most: they cost nothing, and a forgotten prefix costs little.
const simplify = (name: string): string => name.toLowerCase().replace(/[\s_.-]/g, '');

/** Insertions, deletions and substitutions that turn `a` into `b`; a part that is whole inside the other counts half. */
function distance(a: string, b: string): number {
  if (a === b) return 0;
  if (a.length >= 3 && (b.endsWith(a) || b.startsWith(a))) return 1 + Math.min(1, Math.abs(a.length - b.length) / 100);
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(change, (row[j] as number) + 1, (next[j - 1] as number) + 1));
    }
    row = next;
  }
  return row[b.length] as number;
}
