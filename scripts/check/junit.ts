/** Reads what we need from the JUnit report that `bun test` writes: the totals, which files ran, what was skipped. */

/** The totals of one run of `bun test`. */
export interface TestTotals {
  readonly passed: number;
  readonly failed: number;
  /** "file: name" of each skipped test. */
  readonly skipped: readonly string[];
  /** Seconds each file took. */
  readonly seconds: ReadonlyMap<string, number>;
}

function unescapeXml(text: string): string {
  return text
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replaceAll("&quot;", '"')
    .replaceAll("&apos;", "'")
    .replaceAll("&amp;", "&");
}

function attribute(tag: string, name: string): string {
  const match = new RegExp(`\\b${name}="([^"]*)"`).exec(tag);
  return unescapeXml(match?.[1] ?? "");
}

/**
 * Adds up one run. A file that was to run but is not in the report (it could not be loaded) counts as one failure, and
 * so does an exit code other than 0 that no failure explains: nothing may fail without being counted.
 *
 * @param xml the report, or "" when none was written
 * @param files the test files that should have run, as the report names them
 */
export function readTotals(xml: string, files: readonly string[], exitCode: number): TestTotals {
  const root = /<testsuites\b[^>]*>/.exec(xml)?.[0] ?? "";
  const total = Number(attribute(root, "tests"));
  const failures = Number(attribute(root, "failures"));
  const skippedCount = Number(attribute(root, "skipped"));
  const skipped = [...xml.matchAll(/(<testcase\b[^>]*[^/])>\s*<skipped/g)].map(
    ([, tag = ""]) => `${attribute(tag, "file")}: ${attribute(tag, "name")}`,
  );
  const seconds = new Map<string, number>();
  for (const [tag] of xml.matchAll(/<testsuite\b[^>]*>/g)) {
    const file = attribute(tag, "file");
    // A describe block is a testsuite inside its file's; the file's own is the longest.
    seconds.set(file, Math.max(seconds.get(file) ?? 0, Number(attribute(tag, "time"))));
  }
  const unloaded = files.filter((file) => !seconds.has(file)).length;
  const counted = failures + unloaded;
  return {
    passed: total - failures - skippedCount,
    failed: exitCode !== 0 && counted === 0 ? 1 : counted,
    skipped,
    seconds,
  };
}
