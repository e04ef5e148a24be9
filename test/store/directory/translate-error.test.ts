import { readFile } from 'node:fs/promises';
import test from 'ava';
import { CloudvolError } from '../../../src/base/errors.ts';
import { translateError } from '../../../src/store/directory/translate-error.ts';
import { storeError } from '../../../src/store/store-error.ts';

const systemError = (code: string) => Object.assign(new Error(`${code}: it failed`), { code });

test('every errno that a person can do something about has its code', (t) => {
  const expected = {
    ENOSPC: 'store/full',
    EDQUOT: 'store/full',
    EACCES: 'store/denied',
    EROFS: 'store/denied',
    EMFILE: 'store/unavailable',
    ESTALE: 'store/unavailable',
    EIO: 'store/failed',
  };
  for (const [errno, code] of Object.entries(expected)) {
    const error = translateError(systemError(errno), 'put a in /srv');
    t.true(error instanceof CloudvolError);
    t.like(error, { code, details: { errno } });
    t.regex((error as CloudvolError).message, /^cannot put a in \/srv: /);
  }
});

test('the system’s own error stays as the cause', async (t) => {
  const cause = await t.throwsAsync(readFile('/nowhere/at/all'));
  t.is((translateError(cause, 'get a') as CloudvolError).cause, cause);
});

test('what is no system error passes unchanged', (t) => {
  const own = storeError('store/exists', 'there already');
  const bug = new TypeError('undefined is not a function');
  t.is(translateError(own, 'put a'), own);
  t.is(translateError(bug, 'put a'), bug);
});

test('when the clean-up fails as well, the first failure is the one that is told', (t) => {
  const both = new SuppressedError(systemError('EIO'), systemError('ENOSPC'));
  t.is((translateError(both, 'put a') as CloudvolError).code, 'store/full');
});
