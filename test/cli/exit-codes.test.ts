import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import test from 'ava';

import { EXIT } from '../../src/cli/exit-codes.ts';

test('the design record prints every exit code', (t) => {
  const record = join(import.meta.dirname, '../../docs/design/0004-control-plane.md');
  const rows = readFileSync(record, 'utf8').matchAll(/^\| (\d+) \| /gm);
  const printed = [...rows].map(([, code]) => Number(code));
  t.deepEqual(printed, Object.values(EXIT));
});
