import { stripVTControlCharacters } from 'node:util';

/** What a test runner reports at its end. */
export interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

export function addCounts(a: Counts, b: Counts): Counts {
  return {
    passed: a.passed + b.passed,
    failed: a.failed + b.failed,
    skipped: a.skipped + b.skipped,
  };
}

/**
 * Reads a runner's output. Of ava: a tick per passed test (its summary names them only when nothing
 * failed), and `1 test failed`, `1 uncaught exception` … at the end. Of the native tests:
 * `12 passed, 1 failed, 0 skipped`, one per program. A runner that ends with another code than 0
 * and reports no failure crashed: that is a failure.
 */
export function readCounts(output: string, exitCode: number | null): Counts {
  const plain = stripVTControlCharacters(output);
  const sum = (pattern: RegExp) =>
    plain.matchAll(pattern).reduce((total, [, digits]) => total + Number(digits), 0);
  const ticks = [...plain.matchAll(/^ {2}[✔√] /gm)].length;
  const passed = ticks + sum(/^(\d+) passed, \d+ failed/gm);
  const skipped =
    sum(/^ *(\d+) tests? skipped$/gm) + sum(/^\d+ passed, \d+ failed, (\d+) skipped$/gm);
  const failed =
    sum(/^ *(\d+) tests? failed$/gm) +
    sum(/^ *(\d+) (?:uncaught exceptions?|unhandled rejections?|hooks? failed)$/gm) +
    sum(/^\d+ passed, (\d+) failed\b/gm);
  return { passed, failed: exitCode === 0 ? failed : Math.max(failed, 1), skipped };
}
