import test from 'ava';
import { readCounts } from './support/suite-counts.ts';

test('the ticks and the summary of ava are read', (t) => {
  const output = [
    '  ✔ a › one (1.2s)',
    '    ℹ a log line',
    '  ✘ [fail]: a › two',
    '  - a › three',
    '  \u001B[32m✔\u001B[39m a › four',
    '  ─',
    '  a › two',
    '  1 test failed',
    '  1 uncaught exception',
    '  1 test skipped',
  ].join('\n');
  t.deepEqual(readCounts(output, 1), { passed: 2, failed: 2, skipped: 1 });
});

test('the summaries of several native test programs are added', (t) => {
  const output = '5 passed, 0 failed, 0 skipped\n7 passed, 1 failed, 2 skipped\n';
  t.deepEqual(readCounts(output, 2), { passed: 12, failed: 1, skipped: 2 });
});

test('a runner that crashes without a word counts as a failure', (t) => {
  t.is(readCounts('', 139).failed, 1);
  t.deepEqual(readCounts('  ✔ one\n', null), { passed: 1, failed: 1, skipped: 0 });
});

test('a title that looks like a summary is not counted', (t) => {
  t.is(readCounts('  ✔ a › 3 tests failed\n  1 test passed\n', 0).failed, 0);
  t.is(readCounts('  ✔ a › 3 tests failed\n  1 test passed\n', 0).passed, 1);
});
