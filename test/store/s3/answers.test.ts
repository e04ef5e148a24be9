/** Answers that no server among those which tests start gives: a server of our own gives them. */
import test, { type ExecutionContext } from 'ava';
import type { Clock } from '../../../src/base/clock.ts';
import { systemClock } from '../../../src/base/clock.ts';
import type { CloudvolError } from '../../../src/base/errors.ts';
import { openStore } from '../../../src/store/open-store.ts';
import { S3Store } from '../../../src/store/s3.ts';
import { NO_OBJECTS, s3Error, startOwnS3, type S3Answer } from '../../support/servers/own-s3.ts';

const FOREIGN = { code: 'store/unavailable', message: /not in the words of such a store$/ };
const EU = { 'x-amz-bucket-region': 'eu-central-1' };

/** How opening ends where every request has the same answer. */
async function refusal(t: ExecutionContext, answer: S3Answer): Promise<CloudvolError> {
  const target = await startOwnS3(t, () => answer);
  return t.throwsAsync<CloudvolError>(S3Store.open(target));
}

test('whatever way a store tells of another region, the right one is named', async (t) => {
  const host = '<Endpoint>box.s3.eu-central-1.amazonaws.com</Endpoint>';
  const answers = [
    s3Error(301, 'PermanentRedirect', { headers: EU, fields: host }),
    s3Error(307, 'TemporaryRedirect', { headers: EU, fields: host }),
    s3Error(400, 'AuthorizationHeaderMalformed', { fields: '<Region>eu-central-1</Region>' }),
    // As a HEAD is answered: without a body.
    { status: 301, headers: EU },
    { status: 400, headers: EU },
  ];
  for (const answer of answers) {
    const error = await refusal(t, answer);
    t.is(error.code, 'store/failed');
    t.regex(error.message, /the bucket is in region eu-central-1$/);
    t.is(error.hint, 'give --s3-region eu-central-1');
  }
  const unnamed = await refusal(t, s3Error(301, 'PermanentRedirect', { fields: host }));
  t.regex(unnamed.message, /the bucket is in another region$/);
});

test('who sends to another address is no store: it is named, without its path', async (t) => {
  const headers = { location: 'https://s3.example.com/box/a?X-Amz-Signature=c4n4ry' };
  const error = await refusal(t, { status: 301, headers, body: '<html></html>' });
  t.is(error.code, 'store/failed');
  t.regex(error.message, /it sends to https:\/\/s3\.example\.com instead of an answer$/);
  t.regex(error.hint ?? '', /--s3-disable-ssl/);
});

test('a full store and a quota that is used up are told, in whatever way it is said', async (t) => {
  const answers = [
    s3Error(507, 'XMinioStorageFull'),
    s3Error(403, 'QuotaExceeded'),
    { status: 507, body: '<html></html>' },
  ];
  for (const answer of answers) {
    const error = await refusal(t, answer);
    t.is(error.code, 'store/full');
    t.regex(error.message, /there is no space or quota left$/);
  }
});

test('who may write and not use the key of the encryption is told so', async (t) => {
  let isReadOnly = false;
  const target = await startOwnS3(t, ({ method, headers }) => {
    const denied = isReadOnly || headers['x-amz-server-side-encryption'] !== undefined;
    if (method === 'PUT' && denied) return s3Error(403, 'AccessDenied');
    return undefined;
  });
  const encrypted = { ...target, sse: 'aws:kms' } as const;
  const error = await t.throwsAsync<CloudvolError>(S3Store.open(encrypted));
  t.is(error.code, 'store/denied');
  t.regex(error.message, /does not let us encrypt by aws:kms$/);
  t.regex(error.hint ?? '', /kms:GenerateDataKey/);
  isReadOnly = true;
  const store = await S3Store.open(encrypted);
  t.deepEqual(store.capabilities.notes, ['it can be read only: what it can do is unknown']);
  await store.close();
});

test('an object in an archive is told from one that is not there', async (t) => {
  const target = await startOwnS3(t, ({ method }) =>
    method === 'GET' ? s3Error(403, 'InvalidObjectState') : undefined,
  );
  const store = await S3Store.open(target);
  const archived = { code: 'store/failed', message: /lies in an archive of the store$/ };
  await t.throwsAsync(store.get('a'), archived);
  await store.close();
});

test('a listing that is not in S3’s words is an error, never an empty one', async (t) => {
  let answer: S3Answer | undefined;
  const target = await startOwnS3(t, ({ method }) => (method === 'GET' ? answer : undefined));
  const store = await S3Store.open(target);
  const list = () => store.list('')[Symbol.asyncIterator]().next();
  const words = ['<html><p>log in</p></html>', '<html>', '{}', '', '<?xml version="1.0"?><a/>'];
  for (const body of [...words, '<ListBucketResult><Contents><Key>a</Key><Size>1<']) {
    answer = { status: 200, body };
    await t.throwsAsync(list(), FOREIGN, body);
  }
  answer = { status: 200, body: NO_OBJECTS };
  t.true((await list()).done);
  await store.close();
});

test('what somebody else answers is not taken for stored or deleted', async (t) => {
  const portal = { status: 200, headers: { 'content-type': 'text/html' }, body: '<html></html>' };
  let isThere = true;
  const single: string[] = [];
  const target = await startOwnS3(t, ({ method = '', url = '' }) => {
    if (method === 'DELETE') single.push(url);
    return isThere ? undefined : method === 'DELETE' ? s3Error(503, 'SlowDown') : portal;
  });
  const store = await S3Store.open(target);
  isThere = false;
  await t.throwsAsync(store.put('a', Buffer.from('x')), FOREIGN);
  // A batch whose answer names nothing is deleted one by one.
  await t.throwsAsync(store.delete(['a', 'b']), { code: 'store/unavailable' });
  t.deepEqual(
    single.slice(-2).map((url) => url.split('?')[0]),
    ['/box/a', '/box/b'],
  );
  await store.close();
});

/** Waits no time, and remembers for how long it should have. */
function impatientClock(): { readonly clock: Clock; readonly waits: number[] } {
  const waits: number[] = [];
  const sleep: Clock['sleep'] = (ms, signal) => {
    // The deadlines of requests, which end by their signal.
    if (signal && ms >= 60_000) return systemClock.sleep(ms, signal);
    waits.push(ms);
    return Promise.resolve();
  };
  return { waits, clock: { nowMs: () => systemClock.nowMs(), sleep } };
}

test('a store that is busy is left alone as long as it asks for', async (t) => {
  const date = new Date(systemClock.nowMs() + 20_000).toUTCString();
  const answers = [
    s3Error(503, 'SlowDown', { headers: { 'retry-after': '7' } }),
    { status: 429, headers: { 'retry-after': date } },
    s3Error(503, 'SlowDown', { headers: { 'retry-after': 'soon' } }),
    // An hour is not waited for: the caller is told before.
    s3Error(503, 'ServiceUnavailable', { headers: { 'retry-after': '3600' } }),
  ];
  let next: number | undefined;
  const target = await startOwnS3(t, () => (next === undefined ? undefined : answers[next++]));
  const { clock, waits } = impatientClock();
  const store = await openStore(target, { clock });
  next = 0;
  await t.throwsAsync(store.get('a'), { code: 'store/not-found' });
  t.is(store.metrics().requests.get, 5);
  const [seven = 0, twenty = 0, none = 0, minute = 0] = waits;
  t.true(seven >= 7000 && seven <= 7200, String(waits));
  t.true(twenty > 15_000 && twenty <= 20_400, String(waits));
  t.true(none <= 800, String(waits));
  t.true(minute >= 60_000 - 1 && minute <= 61_600, String(waits));
  await store.close();
});

test('a store that is busy when it is opened is asked again, a few times', async (t) => {
  let trouble = 2;
  const target = await startOwnS3(t, () =>
    trouble-- > 0 ? s3Error(503, 'SlowDown', { headers: { 'retry-after': '1' } }) : undefined,
  );
  const { clock, waits } = impatientClock();
  await (await openStore(target, { clock })).close();
  t.is(waits.length, 2);
  t.true(waits.every((ms) => ms >= 1000));
  trouble = 1000;
  const busy = { code: 'store/unavailable', message: /the store is busy or out of order$/ };
  await t.throwsAsync(openStore(target, { clock }), busy);
  t.is(waits.length, 5);
});

test('requests carry no checksum or chunked signature, which others refuse', async (t) => {
  const seen: string[] = [];
  const target = await startOwnS3(t, (request) => {
    seen.push(...Object.keys(request.headers), String(request.headers['x-amz-content-sha256']));
    return undefined;
  });
  const store = await S3Store.open(target);
  await store.put('a', Buffer.from('x'));
  await store.delete(['a', 'b']);
  await store.close();
  t.true(seen.includes('content-md5'));
  const refused = /checksum|trailer|STREAMING|content-encoding|^expect$/i;
  t.deepEqual(
    seen.filter((word) => refused.test(word)),
    [],
  );
});
