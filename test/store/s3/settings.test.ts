import { randomBytes, randomUUID } from 'node:crypto';
import dns from 'node:dns';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import type { CloudvolError } from '../../../src/base/errors.ts';
import { openStore } from '../../../src/store/open-store.ts';
import { S3Store } from '../../../src/store/s3.ts';
import type { S3Target } from '../../../src/store/store-target.ts';
import { Lab } from '../../model/lab.ts';
import { hasAll, requires } from '../../support/requires.ts';
import { startFaultProxy } from '../../support/servers/fault-proxy.ts';
import { startOwnMetadata } from '../../support/servers/own-metadata.ts';
import { RGW_DNS_NAME, startRgw, type RgwServer } from '../../support/servers/rgw.ts';

const rgw = requires('radosgw');
let server: RgwServer | undefined;

if (hasAll('radosgw')) {
  test.before(async () => {
    const encryptionKey = randomBytes(32).toString('base64');
    server = await startRgw({ storageClass: 'COLD', encryptionKey });
  });
  test.after.always(() => server?.stop());
}

function target(changes: Partial<S3Target> = {}): S3Target {
  return { ...server!.target(`t-${randomUUID()}`), ...changes };
}

/** Writes and reads an object with the settings: the headers of every request on the way. */
async function headersWith(t: ExecutionContext, changes: Partial<S3Target>) {
  const seen: Record<string, unknown>[] = [];
  const proxy = await startFaultProxy(server!.endpoint, ({ method, headers }) => {
    if (method === 'PUT') seen.push(headers);
    return undefined;
  });
  t.teardown(() => proxy.stop());
  const store = await S3Store.open(target({ ...changes, endpoints: [proxy.endpoint] }));
  seen.length = 0;
  await roundTrip(t, store);
  return seen;
}

async function roundTrip(t: ExecutionContext, store: S3Store): Promise<void> {
  await store.put('a/b c', Buffer.from('hello'));
  t.is(Buffer.from(await store.get('a/b c')).toString(), 'hello');
  await store.close();
}

async function refusal(t: ExecutionContext, changes: Partial<S3Target>): Promise<CloudvolError> {
  return t.throwsAsync<CloudvolError>(S3Store.open(target(changes)));
}

rgw('storage class and encryption by the store go along with every object', async (t) => {
  const [put] = await headersWith(t, { storageClass: 'COLD', sse: 'AES256' });
  t.is(put?.['x-amz-storage-class'], 'COLD');
  t.is(put?.['x-amz-server-side-encryption'], 'AES256');
  const [plain] = await headersWith(t, {});
  t.false('x-amz-storage-class' in (plain ?? {}));
  t.false('x-amz-server-side-encryption' in (plain ?? {}));
});

rgw('a storage class or encryption that the store does not know is named at once', async (t) => {
  const noClass = await refusal(t, { storageClass: 'WARM', sse: 'AES256' });
  t.is(noClass.code, 'store/unsupported');
  t.regex(noClass.message, /^s3:\/\/\S+ at \S+ knows no storage class WARM$/);
  t.is(noClass.hint, 'choose another with --s3-storage-class, or leave it out');
  const noKey = await refusal(t, { storageClass: 'COLD', sse: 'aws:kms' });
  t.is(noKey.code, 'store/unsupported');
  t.regex(noKey.message, /knows no encryption aws:kms$/);
  t.is(noKey.hint, 'choose another with --s3-sse, or leave it out');
});

rgw('what is refused leaves nothing behind', async (t) => {
  const plain = target();
  await t.throwsAsync(S3Store.open({ ...plain, storageClass: 'WARM' }));
  const store = await S3Store.open(plain);
  t.true((await store.list('')[Symbol.asyncIterator]().next()).done);
  await store.close();
});

rgw('with virtual hosts the bucket is a part of the host name', async (t) => {
  const port = server!.endpoint.split(':')[1];
  const virtual = { virtualHost: true, endpoints: [`${RGW_DNS_NAME}:${port}`] };
  const unknown = await refusal(t, virtual);
  t.is(unknown.code, 'store/unavailable');
  t.regex(unknown.message, /: the host of t-\S+\.s3\.test:\d+ cannot be found$/);
  const asked: string[] = [];
  const { lookup } = dns;
  // A name service that knows the names below the gateway's own.
  const answer = (host: string, options: object, done: (...results: unknown[]) => void) => {
    asked.push(host);
    const isOurs = host.endsWith(`.${RGW_DNS_NAME}`);
    (lookup as (...args: unknown[]) => void)(isOurs ? '127.0.0.1' : host, options, done);
  };
  dns.lookup = answer as typeof dns.lookup;
  try {
    const box = target(virtual);
    await roundTrip(t, await S3Store.open(box));
    t.deepEqual([...new Set(asked)], [`${box.bucket}.${RGW_DNS_NAME}`]);
    // It is the same bucket by its path.
    const byPath = await S3Store.open({ ...server!.target(box.bucket), create: false });
    t.is((await byPath.get('a/b c')).length, 5);
    await byPath.close();
  } finally {
    dns.lookup = lookup;
  }
});

rgw('without keys the host’s own are used: of the environment, a profile, a role', async (t) => {
  const { accessKey, secretKey } = server!;
  const folder = await mkdtemp(join(tmpdir(), 'cloudvol-iam-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const profile = join(folder, 'credentials');
  const keys = `aws_access_key_id = ${accessKey}\naws_secret_access_key = ${secretKey}\n`;
  await writeFile(profile, `[backup]\n${keys}`, { mode: 0o600 });
  const none = join(folder, 'none');
  const nowhere = { AWS_SHARED_CREDENTIALS_FILE: none, AWS_CONFIG_FILE: none };
  const sources: Record<string, string>[] = [
    { ...nowhere, AWS_ACCESS_KEY_ID: accessKey, AWS_SECRET_ACCESS_KEY: secretKey },
    { ...nowhere, AWS_SHARED_CREDENTIALS_FILE: profile, AWS_PROFILE: 'backup' },
    { ...nowhere, AWS_EC2_METADATA_SERVICE_ENDPOINT: await startOwnMetadata(t, server!) },
  ];
  const { accessKey: _, secretKey: __, ...withoutKeys } = target();
  for (const environment of sources) {
    await withEnvironment(environment, async () => {
      await roundTrip(t, await S3Store.open(withoutKeys));
    });
  }
  await withEnvironment({ ...nowhere, AWS_EC2_METADATA_DISABLED: 'true' }, async () => {
    const error = await t.throwsAsync<CloudvolError>(S3Store.open(withoutKeys));
    t.is(error.code, 'store/denied');
    t.regex(error.message, /this host has no credentials for it$/);
    t.regex(error.hint ?? '', /give the host a role/);
  });
});

/** What AWS's chain reads, and nothing else of it. */
async function withEnvironment(
  environment: Readonly<Record<string, string>>,
  work: () => Promise<void>,
): Promise<void> {
  const before = { ...process.env };
  for (const name of Object.keys(process.env))
    if (name.startsWith('AWS_')) delete process.env[name];
  Object.assign(process.env, environment);
  try {
    await work();
  } finally {
    for (const name of Object.keys(environment)) delete process.env[name];
    Object.assign(process.env, before);
  }
}

rgw('an endpoint that dies in the middle of a backup hands over to the next', async (t) => {
  const dying = { puts: 0, after: Number.POSITIVE_INFINITY };
  const proxy = await startFaultProxy(server!.endpoint, ({ method }) => {
    if (method === 'PUT') dying.puts++;
    if (dying.puts < dying.after) return undefined;
    // The request that it dies with has been done.
    return dying.puts === dying.after && method === 'PUT' ? 'lost-answer' : 'reset';
  });
  t.teardown(() => proxy.stop());
  const store = await openStore(target({ endpoints: [proxy.endpoint, server!.endpoint] }));
  t.teardown(() => store.close());
  const lab = await Lab.open({ disks: [store], packTargetBytes: 4 * 4096 });
  lab.volume.write(0, randomBytes(40 * 4096));
  dying.after = dying.puts + 5;
  const full = await lab.backup();
  t.true(dying.puts >= dying.after, 'it died on the way');
  t.deepEqual(await lab.wrongBlocks(full), []);
  lab.volume.write(8, randomBytes(4 * 4096));
  const untilThen = proxy.count;
  const incremental = await lab.backup();
  t.is(incremental.manifest.parent?.cloudsnapId, full.manifest.cloudsnapId);
  t.deepEqual(await lab.wrongBlocks(incremental), []);
  t.is(proxy.count, untilThen, 'the endpoint that answers stays in use');
});

rgw('a quota that is used up is a full store: what is there can still be read', async (t) => {
  const user = ['--uid', 'limited', '--display-name', 'limited', '--max-buckets', '0'];
  const keys = { accessKey: 'LIMITED', secretKey: 'secret-of-limited' };
  const given = ['--access-key', keys.accessKey, '--secret-key', keys.secretKey];
  await server!.admin('user', 'create', ...user, ...given);
  const quota = ['--quota-scope=user', '--uid', 'limited'];
  await server!.admin('quota', 'set', ...quota, '--max-objects', '2');
  await server!.admin('quota', 'enable', ...quota);
  const store = await S3Store.open(target(keys));
  await store.put('a', Buffer.from('1'));
  await store.put('b', Buffer.from('2'));
  const error = await t.throwsAsync<CloudvolError>(store.put('c', Buffer.from('3')));
  t.is(error.code, 'store/full');
  t.regex(error.message, /^cannot put c in bucket \S+ at \S+: there is no space or quota left$/);
  t.regex(error.hint ?? '', /raise the quota/);
  t.is((await store.get('a')).length, 1);
  await store.close();
});
