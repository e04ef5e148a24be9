import { randomUUID } from 'node:crypto';
import test from 'ava';
import { systemClock } from '../../../src/base/clock.ts';
import type { CloudvolError } from '../../../src/base/errors.ts';
import { seededRandom } from '../../../src/base/seeded-random.ts';
import { openStore } from '../../../src/store/open-store.ts';
import { S3Store } from '../../../src/store/s3.ts';
import type { S3Target } from '../../../src/store/store-target.ts';
import { validateStore } from '../../../src/store/validate-store.ts';
import {
  CloudsnapLab,
  ModelImage,
  contentOf,
  differingBlocks,
} from '../../cloudsnap/cloudsnap-lab.ts';
import { objectStoreContract } from '../../conformance/object-store.ts';
import { instantClock } from '../../model/instant-clock.ts';
import { hasAll, requires } from '../../support/requires.ts';
import type { S3Server } from '../../support/servers/server.ts';
import { startSwift } from '../../support/servers/swift.ts';

/** More than two pages: the listing of many keys crosses page boundaries. */
const OPTIONS = { manyKeys: 25, folders: 'names', oneByOne: true } as const;
const PAGE_KEYS = 10;

let server: S3Server | undefined;
const target = (changes: Partial<S3Target> = {}): S3Target => ({
  ...server!.target(`t-${randomUUID()}`),
  ...changes,
});
const swift = requires('swift');

if (hasAll('swift')) {
  test.before(async () => {
    server = await startSwift();
  });
  test.after.always(() => server?.stop());
  objectStoreContract('Swift', () => S3Store.open(target(), { pageKeys: PAGE_KEYS }), OPTIONS);
}

swift('what the store cannot do is found out when it is opened, and said', async (t) => {
  const store = await S3Store.open(target());
  t.like(store.capabilities, { conditionalPut: false, batchDelete: 1000 });
  t.deepEqual(store.capabilities.notes, [
    'it cannot put only what is absent: one host at a time may back up a volume',
    'it deletes 1000 objects at once',
  ]);
  t.true((await store.list('')[Symbol.asyncIterator]().next()).done);
  const { signal } = new AbortController();
  const { checks } = await validateStore(store, { clock: systemClock, signal });
  const limited = checks.filter(({ outcome }) => outcome !== 'ok');
  t.deepEqual(limited, [
    {
      name: 'conditional put',
      outcome: 'limited',
      words: 'the store cannot put only what is absent: back a volume up from one host',
    },
  ]);
  await store.close();
});

swift('a chain comes back through all layers; a second host is refused until told', async (t) => {
  const store = await openStore(target());
  t.teardown(() => store.close());
  const lab = await CloudsnapLab.open();
  const place = { store, clock: instantClock() };
  const first = await lab.another({ ...place, hostId: 'first' });
  const image = new ModelImage(40);
  image.change(seededRandom(1), 30);
  const full = await lab.upload(image, null, image.dirty, first);
  const before = image.bytes.slice();
  image.dirty.clear();
  image.change(seededRandom(2), 10);
  const incremental = await lab.upload(image, full, image.dirty, first);
  const second = await lab.another({ ...place, hostId: 'second' });
  t.deepEqual(differingBlocks(await contentOf(second, full), before), []);
  t.deepEqual(differingBlocks(await contentOf(second, incremental), image.bytes), []);
  const { signal } = new AbortController();
  for (const refused of [second.own(image.id, {}, signal), second.delete(incremental)]) {
    const error = await t.throwsAsync<CloudvolError>(refused, { code: 'cloudsnap/other-host' });
    t.regex(error.hint ?? '', /--takeover/);
  }
  await second.own(image.id, { takeover: true }, signal);
  await second.delete(incremental);
  await t.throwsAsync(first.delete(full), { code: 'cloudsnap/other-host' });
  t.is((await second.list({})).length, 1);
});

swift('a key that is wrong, and a bucket that is not there, are a sentence each', async (t) => {
  for (const keys of [{ accessKey: 'test:nobody' }, { secretKey: 'not-the-secret' }]) {
    const error = await t.throwsAsync<CloudvolError>(S3Store.open(target(keys)));
    t.is(error.code, 'store/denied');
    t.regex(error.message, /the secret key does not belong to the access key$/);
  }
  await t.throwsAsync(S3Store.open(target({ create: false })), {
    code: 'store/not-found',
    message: /there is no such bucket$/,
  });
});

swift('of a wrong region the right one is named', async (t) => {
  const error = await t.throwsAsync<CloudvolError>(
    S3Store.open(target({ region: 'eu-central-9' })),
  );
  t.is(error.code, 'store/failed');
  t.regex(error.message, /the bucket is in region us-east-1$/);
  t.is(error.hint, 'give --s3-region us-east-1');
});
