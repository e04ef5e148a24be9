import test from 'ava';

import type { ErrorCode } from '../../src/base/errors.ts';
import { httpStatusOf } from '../../src/control/http-status.ts';

test('the status follows the reason, whatever the area', (t) => {
  const expected: [ErrorCode, number][] = [
    ['volume/not-found', 404],
    ['agent/no-such-node', 404],
    ['volume/exists', 409],
    ['cloudsnap/has-dependants', 409],
    ['volume/restoring', 409],
    ['volume/bad-size', 400],
    ['request/invalid', 400],
    ['credential/ambiguous', 400],
    ['task/queue-full', 429],
    ['host/not-root', 403],
    ['store/full', 507],
    ['store/unavailable', 503],
    ['store/failed', 500],
    ['volume/not-foundation', 500],
  ];
  for (const [code, status] of expected) t.is(httpStatusOf(code), status, code);
});
