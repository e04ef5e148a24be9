import type { TreeEntry } from './digest-tree.ts';

/** One sentence for each path that is not in `actual` as it is in `expected`. */
export function compareTrees(
  expected: readonly TreeEntry[],
  actual: readonly TreeEntry[],
): string[] {
  const found = new Map(actual.map((entry) => [entry.path, entry]));
  const differences = expected.flatMap((entry) => {
    const other = found.get(entry.path);
    found.delete(entry.path);
    if (!other) return [`${entry.path} is missing`];
    return (['kind', 'mode', 'sizeBytes', 'content'] as const)
      .filter((field) => entry[field] !== other[field])
      .map((field) => `${entry.path}: ${field} is ${other[field]}, was ${entry[field]}`);
  });
  return [...differences, ...[...found.keys()].map((path) => `${path} should not be there`)];
}
