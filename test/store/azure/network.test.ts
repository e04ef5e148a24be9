import { randomUUID } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { systemClock } from '../../../src/base/clock.ts';
import { AzureStore } from '../../../src/store/azure.ts';
import { hasAll, requires } from '../../support/requires.ts';
import { startAzurite, type AzuriteServer } from '../../support/servers/azurite.ts';
import { startFaultProxy } from '../../support/servers/fault-proxy.ts';
import { describeNetworkFaults } from '../network-faults.ts';

const clock = systemClock;
const withServer = requires('azurite');
let server: AzuriteServer;

if (hasAll('azurite')) {
  test.before(async () => {
    server = await startAzurite();
  });
  test.after.always(() => server.stop());
}

describeNetworkFaults(withServer, async (t, plan) => {
  let open = false;
  const url = new URL(server.endpoint);
  const proxy = await startFaultProxy(url.host, (request, count) =>
    open ? plan(request, count) : undefined,
  );
  const endpoint = `http://${proxy.endpoint}${url.pathname}`;
  const target = { ...server.target(`t-${randomUUID()}`), endpoint };
  const store = await AzureStore.open(target, { clock });
  open = true;
  t.teardown(async () => {
    await store.close();
    await proxy.stop();
  });
  return store;
});

withServer('TLS by an unknown authority is refused; with its certificate it works', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'cloudvol-tls-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const tls = { certificate: join(folder, 'cert.pem'), key: join(folder, 'key.pem') };
  const subject = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1'];
  const kind = ['-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2'];
  const files = ['-keyout', tls.key, '-out', tls.certificate];
  execFileSync('openssl', ['req', ...kind, ...subject, ...files], { stdio: 'ignore' });
  const secure = await startAzurite({ tls });
  t.teardown(() => secure.stop());
  const target = secure.target('box');
  const unknown = /signed by an authority unknown here$/;
  const error = await t.throwsAsync<Error & { hint: string }>(AzureStore.open(target, { clock }), {
    code: 'store/failed',
    message: unknown,
  });
  t.regex(error.hint, /--ca FILE/);
  const ca = await readFile(tls.certificate, 'utf8');
  const store = await AzureStore.open({ ...target, ca }, { clock });
  await store.put('a', Buffer.from('x'), { ifAbsent: true });
  t.is((await store.get('a')).length, 1);
  await store.delete(['a', 'b']);
  await store.close();
  await t.throwsAsync(AzureStore.open({ ...target, ca: 'none' }, { clock }), {
    code: 'store/failed',
    message: /no certificate in PEM$/,
  });
  const plain = secure.endpoint.replace('https:', 'http:');
  const toTls = await t.throwsAsync<Error & { hint: string }>(
    AzureStore.open({ ...target, endpoint: plain }, { clock }),
  );
  t.regex(toTls.hint, /https/);
  const toPlain = server.endpoint.replace('http:', 'https:');
  await t.throwsAsync(AzureStore.open({ ...target, endpoint: toPlain }, { clock }), {
    code: 'store/failed',
    message: /does not answer in TLS$/,
  });
});
