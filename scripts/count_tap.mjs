// Sums TAP files:  node scripts/count_tap.mjs results.tap ...  ->  "N passed, N failed, N skipped"; exit code 1 on any failure.
// Assertions are counted, not subtests. A file that is cut short, or holds no test, counts as one failure.
import { existsSync, readFileSync } from 'node:fs';
import { Parser } from 'tap-parser';

const sum = { passed: 0, failed: 0, skipped: 0 };

/** Counts the assertions of a parser and of its subtests. */
function count(parser) {
  let before; // the sums when the last subtest began
  parser.on('child', (child) => {
    before = { ...sum };
    count(child);
  });
  parser.on('assert', ({ ok, skip, todo }) => {
    // The line that closes a subtest says nothing new, unless the subtest was empty or failed as a whole.
    const asserted = before && sum.passed + sum.failed + sum.skipped > before.passed + before.failed + before.skipped;
    const closes = asserted && (ok || sum.failed > before.failed);
    before = undefined;
    if (closes) return;
    if (skip || todo) sum.skipped++;
    else if (ok) sum.passed++;
    else sum.failed++;
  });
}

for (const file of process.argv.slice(2)) {
  const failedBefore = sum.failed;
  let results;
  const parser = new Parser((final) => {
    results = final;
  });
  count(parser);
  parser.end(existsSync(file) ? readFileSync(file, 'utf8') : '');
  const whole = results?.ok && results.count > 0;
  if (!whole && sum.failed === failedBefore) sum.failed++;
}
console.log(`${sum.passed} passed, ${sum.failed} failed, ${sum.skipped} skipped`);
process.exitCode = sum.failed > 0 ? 1 : 0;
