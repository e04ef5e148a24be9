/** TLS that no server among those which tests start would do: a server of our own does it. */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { systemClock } from '../../../src/base/clock.ts';
import type { CloudvolError } from '../../../src/base/errors.ts';
import { AzureStore } from '../../../src/store/azure.ts';
import { GoogleStore } from '../../../src/store/google.ts';
import { translateNetworkError } from '../../../src/store/network-error.ts';
import { S3Store } from '../../../src/store/s3.ts';

/** A server for 127.0.0.1 by TLS, whose certificate is its own authority. */
async function startTls(t: ExecutionContext, { days, ip }: { days: number; ip: string }) {
  const folder = await mkdtemp(join(tmpdir(), 'cloudvol-tls-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const [key, request, certificate] = ['k', 'r', 'c'].map((name) => join(folder, `${name}.pem`));
  const openssl = (...args: (string | undefined)[]) =>
    execFileSync(
      'openssl',
      args.filter((arg) => arg !== undefined),
      { stdio: 'ignore' },
    );
  const subject = ['-subj', `/CN=${ip}`, '-addext', `subjectAltName=IP:${ip}`];
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  openssl('req', '-new', ...kind, ...subject, '-keyout', key, '-out', request);
  const signed = ['-copy_extensions', 'copy', '-days', String(days), '-out', certificate];
  openssl('x509', '-req', '-in', request, '-key', key, ...signed);
  const [cert, secret] = await Promise.all([readFile(certificate!, 'utf8'), readFile(key!)]);
  const server = createServer({ cert, key: secret }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  return { ca: cert, endpoint: `127.0.0.1:${(server.address() as AddressInfo).port}` };
}

test('an expired certificate is said, whichever the provider, and waited for', async (t) => {
  const { ca, endpoint } = await startTls(t, { days: -1, ip: '127.0.0.1' });
  const url = `https://${endpoint}`;
  const place = { bucket: 'box', ca };
  const keys = { accountName: 'account', accountKey: Buffer.alloc(64).toString('base64') };
  const opened: Promise<unknown>[] = [
    S3Store.open({
      provider: 's3',
      endpoints: [endpoint],
      accessKey: 'KEY',
      secretKey: 'secret',
      ...place,
    }),
    AzureStore.open(
      { provider: 'azure', endpoint: url, ...keys, ...place },
      { clock: systemClock },
    ),
    GoogleStore.open({ provider: 'google', endpoint: url, ...place }),
  ];
  for (const opening of opened) {
    const error = await t.throwsAsync<CloudvolError>(opening);
    t.is(error.code, 'store/unavailable');
    t.regex(error.message, /: the certificate of \S+ has expired$/);
    t.regex(error.hint ?? '', /^renew the certificate at the store/);
  }
});

test('a certificate that is made for another host is not waited for', async (t) => {
  const { ca, endpoint } = await startTls(t, { days: 2, ip: '127.0.0.2' });
  const keys = { accessKey: 'KEY', secretKey: 'secret' };
  const target = { provider: 's3', bucket: 'box', endpoints: [endpoint], ca, ...keys } as const;
  const error = await t.throwsAsync<CloudvolError>(S3Store.open(target));
  t.is(error.code, 'store/failed');
  t.regex(error.message, /is made for another host$/);
});

test('a certificate that is not valid yet points to the clock', (t) => {
  const early = Object.assign(new Error('x'), { code: 'CERT_NOT_YET_VALID' });
  const error = translateNetworkError(early, { action: 'put a', endpoint: 'b:443' });
  t.is(error?.code, 'store/unavailable');
  t.is(error?.message, 'cannot put a: the certificate of b:443 is not valid yet');
  t.regex(error?.hint ?? '', /clock/);
});
