import { readFileSync } from 'node:fs';

import test from 'ava';

import { CloudvolError } from '../../src/base/errors.ts';
import { translateHostError } from '../../src/base/host-error.ts';

test('what the host refuses gets a code, the words of the system and a hint', (t) => {
  const full = Object.assign(new Error('ENOSPC: no space left on device, write'), {
    code: 'ENOSPC',
  });
  const error = translateHostError(full);
  t.true(error instanceof CloudvolError);
  t.like(error, { code: 'host/no-space', cause: full });
  t.regex((error as Error).message, /no space left.*ENOSPC.*write/);
});

test('what has words already, and mistakes of the program, stay as they are', (t) => {
  const told = new CloudvolError('volume/exists', 'x');
  t.is(translateHostError(told), told);
  const mistake = new TypeError('x is undefined');
  t.is(translateHostError(mistake), mistake);
  const missing = t.throws(() => readFileSync('/nowhere/at/all'));
  t.is(translateHostError(missing), missing);
});
