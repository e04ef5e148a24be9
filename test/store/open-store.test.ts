import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import type { Clock } from '../../src/base/clock.ts';
import { createLog } from '../../src/base/log.ts';
import { openStore } from '../../src/store/open-store.ts';
import type { StoreTarget } from '../../src/store/store-target.ts';
import { objectStoreContract } from '../conformance/object-store.ts';
import { bytesOf } from '../conformance/object-store/contract.ts';
import { temporaryFolder } from './directory/temporary-store.ts';

objectStoreContract(
  'openStore',
  async (t) => openStore({ provider: 'directory', path: await temporaryFolder(t, 'in-memory') }),
  { manyKeys: 200 },
);

test('the metrics of an opened store are those of its backend', async (t) => {
  const path = join(await temporaryFolder(t), 'store');
  const store = await openStore({ provider: 'directory', path, create: true });
  await store.put('a', bytesOf('12345'));
  await store.get('a');
  t.like(store.metrics(), { requests: { put: 1, get: 1 }, bytesUp: 5, bytesDown: 5, inFlight: 0 });
  t.is(store.location, `directory:${path}`);
  await store.close();
});

test('retries are logged with what was tried, and counted one by one', async (t) => {
  const path = join(await temporaryFolder(t), 'store');
  const lines: string[] = [];
  const clock: Clock = {
    nowMs: () => Date.now(),
    // The folder comes back during the first wait; time limits of requests are hour-long here.
    async sleep(ms, signal) {
      if (ms < 60_000) return rename(`${path}-away`, path);
      await new Promise((_, reject) =>
        signal?.addEventListener('abort', () => reject(signal.reason)),
      );
    },
  };
  const log = createLog((line) => lines.push(line));
  const store = await openStore({ provider: 'directory', path, create: true }, { clock, log });
  await store.put('a', bytesOf('x'));
  await rename(path, `${path}-away`);
  t.is((await store.get('a')).length, 1);
  t.is(store.metrics().requests.get, 2);
  t.is(lines.length, 1);
  t.like(JSON.parse(lines[0]!), {
    event: 'store.request-retried',
    level: 'warn',
    action: 'get a',
    attempt: 1,
  });
});

test('a provider that this version does not know is refused', async (t) => {
  const target = { provider: 'tape', path: '/x' } as unknown as StoreTarget;
  await t.throwsAsync(openStore(target), {
    code: 'store/unsupported',
    message: 'this version knows no provider tape',
  });
});

test('a folder that is missing is not found, and is not retried', async (t) => {
  const path = join(await temporaryFolder(t), 'absent');
  await t.throwsAsync(openStore({ provider: 'directory', path }), { code: 'store/not-found' });
});
