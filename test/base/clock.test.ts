import test from 'ava';
import { systemClock } from '../../src/base/clock.ts';

test('an aborted sleep throws the signal’s reason', async (t) => {
  const controller = new AbortController();
  const reason = new Error('enough');
  const asleep = systemClock.sleep(60_000, controller.signal);
  controller.abort(reason);
  t.is(await t.throwsAsync(asleep), reason);
});
