import { randomUUID } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execFileSync } from 'node:child_process';
import test, { type ExecutionContext } from 'ava';
import { systemClock } from '../../../src/base/clock.ts';
import type { CloudvolError } from '../../../src/base/errors.ts';
import { DeadlineStore } from '../../../src/store/layers/deadline.ts';
import { RetryStore } from '../../../src/store/layers/retry.ts';
import { S3Store } from '../../../src/store/s3.ts';
import type { S3Target } from '../../../src/store/store-target.ts';
import { hasAll, requires } from '../../support/requires.ts';
import { startFaultProxy, type ProxyPlan } from '../../support/servers/fault-proxy.ts';
import { startRgw, type RgwServer } from '../../support/servers/rgw.ts';
import { describeNetworkFaults } from '../network-faults.ts';

const rgw = requires('radosgw');
const BODY = Buffer.alloc(100_000, 'cloudvol');
/** Nothing listens there: a port below those that the kernel gives out. */
const DEAD = '127.0.0.1:1';
const QUICK = { clock: systemClock, policy: { maxAttempts: 8, baseDelayMs: 1, maxDelayMs: 4 } };

let server: RgwServer | undefined;
let folder = '';
let ca = '';

if (hasAll('radosgw')) {
  test.before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'cloudvol-tls-'));
    const certificate = join(folder, 'both.pem');
    const subject = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1'];
    const kind = ['-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2'];
    const files = ['-keyout', join(folder, 'key.pem'), '-out', join(folder, 'cert.pem')];
    execFileSync('openssl', ['req', ...kind, ...subject, ...files], { stdio: 'ignore' });
    ca = await readFile(join(folder, 'cert.pem'), 'utf8');
    execFileSync('sh', ['-c', `cat ${folder}/key.pem ${folder}/cert.pem > ${certificate}`]);
    server = await startRgw({ certificate });
  });
  test.after.always(async () => {
    await server?.stop();
    await rm(folder, { recursive: true, force: true });
  });
}

function bucket(changes: Partial<S3Target> = {}): S3Target {
  return { ...server!.target(`t-${randomUUID()}`), ...changes };
}

async function refusal(t: ExecutionContext, target: S3Target): Promise<CloudvolError> {
  return t.throwsAsync<CloudvolError>(S3Store.open(target));
}

/** A store in a new bucket, reached through a proxy that follows the plan once it is open. */
async function openBehindProxy(t: ExecutionContext, plan: ProxyPlan, others: string[] = []) {
  let open = false;
  const proxy = await startFaultProxy(server!.endpoint, (request, count) =>
    open ? plan(request, count) : undefined,
  );
  const store = await S3Store.open(bucket({ endpoints: [proxy.endpoint, ...others] }));
  open = true;
  t.teardown(async () => {
    await store.close();
    await proxy.stop();
  });
  return store;
}

describeNetworkFaults(rgw, openBehindProxy);

rgw('an unknown access key and a wrong secret key are told apart', async (t) => {
  const wrongKey = await refusal(t, bucket({ accessKey: 'NOBODY' }));
  t.is(wrongKey.code, 'store/denied');
  t.regex(wrongKey.message, /at 127.0.0.1:\d+: the store does not know the access key$/);
  const secret = 'not-the-secret';
  const wrongSecret = await refusal(t, bucket({ secretKey: secret }));
  t.is(wrongSecret.code, 'store/denied');
  t.regex(wrongSecret.message, /the secret key does not belong to the access key$/);
  t.regex(wrongSecret.hint ?? '', /secret key of the credential/);
  t.is(wrongSecret.cause, undefined);
  const { message, hint, details } = wrongSecret;
  t.false(JSON.stringify({ message, hint, details }).includes(secret));
});

rgw('a bucket that is not there is named, and not made without being asked to', async (t) => {
  const target = bucket({ create: false });
  for (let attempt = 0; attempt < 2; attempt++) {
    const error = await refusal(t, target);
    t.is(error.code, 'store/not-found');
    t.true(error.message.includes(target.bucket));
    t.regex(error.hint ?? '', /--bucket/);
  }
});

rgw('a look-up in a bucket that is gone is an error, not an absent object', async (t) => {
  const target = bucket();
  const store = await S3Store.open(target);
  const { S3Client, DeleteBucketCommand } = await import('@aws-sdk/client-s3');
  const client = new S3Client({
    endpoint: `http://${server!.endpoint}`,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: { accessKeyId: server!.accessKey, secretAccessKey: server!.secretKey },
  });
  await client.send(new DeleteBucketCommand({ Bucket: target.bucket }));
  await t.throwsAsync(store.head('a'), { code: 'store/not-found', message: /no such bucket/ });
  await t.throwsAsync(store.get('a'), { code: 'store/not-found', message: /no such bucket/ });
  const listing = store.list('')[Symbol.asyncIterator]();
  await t.throwsAsync(listing.next(), { code: 'store/not-found', message: /no such bucket/ });
  client.destroy();
  await store.close();
});

rgw('opening leaves nothing in the bucket, and says what it found', async (t) => {
  const store = await S3Store.open(bucket());
  t.deepEqual(store.capabilities.notes, [
    'it can put only what is absent',
    'it deletes 1000 objects at once',
  ]);
  t.true((await store.list('')[Symbol.asyncIterator]().next()).done);
  await store.close();
});

rgw('TLS by an unknown authority is refused; with its certificate it works', async (t) => {
  const tls = bucket({ endpoints: [server!.tlsEndpoint], disableSsl: false });
  const error = await refusal(t, tls);
  t.is(error.code, 'store/failed');
  t.regex(error.message, /signed by an authority unknown here$/);
  t.regex(error.hint ?? '', /--ca FILE/);
  const store = await S3Store.open({ ...tls, ca });
  await store.put('a', BODY, { ifAbsent: true });
  t.deepEqual(Buffer.from(await store.get('a')), BODY);
  await store.delete(['a']);
  await store.close();
  const noPem = await refusal(t, { ...tls, ca: 'no certificate' });
  t.regex(noPem.message, /no certificate in PEM$/);
});

rgw('TLS where plain http is spoken, and the reverse, are said', async (t) => {
  const tlsToPlain = await refusal(t, bucket({ disableSsl: false }));
  t.regex(tlsToPlain.message, /does not answer in TLS$/);
  const plainToTls = await refusal(t, bucket({ endpoints: [server!.tlsEndpoint] }));
  t.regex(plainToTls.hint ?? '', /https/);
});

rgw('a clock that is wrong is named with its difference, and not corrected', async (t) => {
  const now = Date.now;
  const RealDate = Date;
  const ahead = 20 * 60_000;
  // The SDK signs with `new Date()`.
  class SkewedDate extends RealDate {
    constructor(...args: [] | [number]) {
      super(args[0] ?? now() + ahead);
    }
    static override now = () => now() + ahead;
  }
  globalThis.Date = SkewedDate as DateConstructor;
  try {
    for (let attempt = 0; attempt < 2; attempt++) {
      const error = await refusal(t, bucket());
      t.is(error.code, 'store/denied');
      t.regex(error.message, /the clock of this host is 20 minutes ahead of the store’s$/);
      t.regex(error.hint ?? '', /set the clock/);
    }
  } finally {
    globalThis.Date = RealDate;
  }
});

rgw('a dead endpoint is passed over; where all are dead, each is named', async (t) => {
  const store = await S3Store.open(bucket({ endpoints: [DEAD, server!.endpoint] }));
  await store.put('a', BODY, { ifAbsent: true });
  t.is((await store.get('a')).length, BODY.length);
  await store.close();
  const none = await refusal(t, bucket({ endpoints: [DEAD, '127.0.0.1:2'] }));
  t.is(none.code, 'store/unavailable');
  t.regex(none.message, /none of 2 endpoints answers; .*127.0.0.1:1; .*127.0.0.1:2$/);
});

rgw('an endpoint that dies midway hands over to the next, as does a proxy alone', async (t) => {
  for (const fault of ['reset', 'truncate', 502] as const) {
    const plan: ProxyPlan = () => fault;
    const store = await openBehindProxy(t, plan, [server!.endpoint]);
    await store.put('a', BODY);
    t.deepEqual(Buffer.from(await store.get('a')), BODY);
  }
});

rgw('a conditional put with a lost answer is known as its own, also over endpoints', async (t) => {
  for (const others of [[], [server!.endpoint]]) {
    let lost = false;
    const plan: ProxyPlan = ({ method }) => {
      if (method !== 'PUT' || lost) return undefined;
      lost = true;
      return 'lost-answer';
    };
    const store = new RetryStore(await openBehindProxy(t, plan, others), QUICK);
    t.is((await store.put('a', BODY, { ifAbsent: true })).sizeBytes, BODY.length);
    t.true(lost);
    const second = store.put('a', Buffer.from('another'), { ifAbsent: true });
    await t.throwsAsync(second, { code: 'store/exists' });
  }
});

rgw('a body that breaks off is unavailable, a complete one of wrong length corrupt', async (t) => {
  let fault: 'truncate' | 'short' | undefined;
  const store = await openBehindProxy(t, ({ method }) => (method === 'GET' ? fault : undefined));
  await store.put('a', BODY);
  const range = { offset: 10, length: 50_000 };
  fault = 'truncate';
  for (const options of [{}, { range }]) {
    const broken = store.get('a', options);
    await t.throwsAsync(broken, { code: 'store/unavailable', message: /a broke off after \d+ / });
  }
  fault = 'short';
  const short = { code: 'store/corrupt', message: /the body of a has 25000 of 50000 bytes/ };
  await t.throwsAsync(store.get('a', { range }), short);
  fault = undefined;
  t.is((await store.get('a', { range })).length, 50_000);
});

rgw('a hanging endpoint is left at the next attempt', async (t) => {
  const plan: ProxyPlan = ({ method }) => (method === 'GET' ? 'hang' : undefined);
  const bare = await openBehindProxy(t, plan, [server!.endpoint]);
  const deadline = new DeadlineStore(bare, { clock: systemClock, requestLimitMs: 200 });
  const store = new RetryStore(deadline, QUICK);
  await store.put('a', BODY);
  const range = { offset: 0, length: 1000 };
  t.is((await store.get('a', { range })).length, 1000);
});
