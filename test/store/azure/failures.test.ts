import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import test from 'ava';
import { systemClock } from '../../../src/base/clock.ts';
import type { CloudvolError } from '../../../src/base/errors.ts';
import { AzureStore } from '../../../src/store/azure.ts';
import { openStore } from '../../../src/store/open-store.ts';
import type { AzureTarget } from '../../../src/store/store-target.ts';
import { freePort } from '../../support/servers/server.ts';
import { startAzurite, type AzuriteServer } from '../../support/servers/azurite.ts';
import { hasAll, requires } from '../../support/requires.ts';

const clock = systemClock;
const WRONG_KEY = Buffer.alloc(64, 7).toString('base64');
const testWithServer = requires('azurite');
let server: AzuriteServer;

if (hasAll('azurite')) {
  test.before(async () => {
    server = await startAzurite();
  });
  test.after.always(() => server.stop());
}

testWithServer('a wrong key is one sentence without the key', async (t) => {
  const target = { ...server.target('box'), accountKey: WRONG_KEY };
  const error = await t.throwsAsync<Error & { hint: string }>(AzureStore.open(target, { clock }), {
    code: 'store/denied',
    message:
      `cannot open container box at ${server.endpoint}: ` +
      'the account refuses the key or signature',
  });
  t.true(error.hint.startsWith('check the account name and its key'));
  t.false(JSON.stringify(error).includes(WRONG_KEY));
  t.is(error.cause, undefined);
});

testWithServer('without create a missing container is not made', async (t) => {
  const target = { ...server.target('absent'), create: false };
  for (let time = 0; time < 2; time++) {
    await t.throwsAsync(AzureStore.open(target, { clock }), {
      code: 'store/not-found',
      message: `cannot open container absent at ${server.endpoint}: there is no such container`,
    });
  }
});

testWithServer('a clock that is wrong is told from a key that is wrong', async (t) => {
  const behind = { ...clock, nowMs: () => Date.now() - 20 * 60_000 };
  const target = { ...server.target('box'), accountKey: WRONG_KEY };
  await t.throwsAsync(AzureStore.open(target, { clock: behind }), {
    code: 'store/denied',
    message: /the clock of this host is 20 minutes behind the store’s$/,
  });
});

testWithServer('an expired SAS token says when it expired, and nothing of itself', async (t) => {
  const sasToken = '?sv=2024-11-04&ss=b&srt=sco&sp=rwdlac&se=2020-01-01T00:00:00Z&sig=c2VjcmV0';
  const { endpoint, bucket } = server.target('box') as AzureTarget & { endpoint: string };
  const target: AzureTarget = { provider: 'azure', endpoint, bucket, sasToken };
  const error = await t.throwsAsync(AzureStore.open(target, { clock }), {
    code: 'store/denied',
    message: /the SAS token expired at 2020-01-01T00:00:00.000Z$/,
  });
  t.false(error.message.includes('c2VjcmV0'));
});

testWithServer('a connection string opens the same store as its account and key', async (t) => {
  const { endpoint, accountKey } = server;
  const account = `AccountName=devstoreaccount1;AccountKey=${accountKey}`;
  const connectionString = `DefaultEndpointsProtocol=http;${account};BlobEndpoint=${endpoint};`;
  const target = { provider: 'azure', bucket: 'strings', create: true, connectionString } as const;
  const store = await openStore(target);
  t.is(store.location, `azure://strings at ${endpoint}`);
  await store.put('a', new Uint8Array([1]));
  t.is((await store.get('a')).length, 1);
  await store.close();
});

test('nothing at the endpoint, and no such host, are a sentence each', async (t) => {
  const endpoint = `http://127.0.0.1:${await freePort()}/account`;
  const target = {
    provider: 'azure',
    bucket: 'box',
    accountName: 'account',
    accountKey: WRONG_KEY,
  } as const;
  await t.throwsAsync(AzureStore.open({ ...target, endpoint }, { clock }), {
    code: 'store/unavailable',
    message: `cannot open container box at ${endpoint}: nothing listens at ${endpoint}`,
  });
  const nowhere = 'https://account.invalid';
  await t.throwsAsync(AzureStore.open({ ...target, endpoint: nowhere }, { clock }), {
    code: 'store/unavailable',
    message: `cannot open container box at ${nowhere}: the host of ${nowhere} cannot be found`,
  });
});

test('an endpoint where something else answers is told, whatever it says', async (t) => {
  let answer = '';
  const other = createServer((_, response) => response.end(answer)).listen(0, '127.0.0.1');
  await once(other, 'listening');
  t.teardown(() => other.close().closeAllConnections());
  const { port } = other.address() as AddressInfo;
  const endpoint = `http://127.0.0.1:${port}/account`;
  const target = { provider: 'azure', bucket: 'box', endpoint, sasToken: 'sig=x' } as const;
  const foreign = { code: 'store/unavailable', message: /not in the words of such a store$/ };
  for (answer of ['<html><p>log in</p></html>', '<html>', '{}', '', '<?xml version="1.0"?><a/>']) {
    const opening = AzureStore.open(target, { clock });
    await t.throwsAsync(opening, foreign, answer);
  }
});

test('a store that is busy says for how long', async (t) => {
  const headers = { 'retry-after': '20', 'x-ms-error-code': 'ServerBusy' };
  const other = createServer((_, response) => response.writeHead(503, headers).end());
  other.listen(0, '127.0.0.1');
  await once(other, 'listening');
  t.teardown(() => other.close().closeAllConnections());
  const endpoint = `http://127.0.0.1:${(other.address() as AddressInfo).port}/account`;
  const target = { provider: 'azure', bucket: 'box', endpoint, sasToken: 'sig=x' } as const;
  const error = await t.throwsAsync<CloudvolError>(AzureStore.open(target, { clock }));
  t.is(error.code, 'store/unavailable');
  t.is(error.details?.['retryAfterMs'], 20_000);
});

test('what cannot be right is said before anybody is asked', async (t) => {
  const whole = { provider: 'azure', bucket: 'box', accountName: 'account' } as const;
  const refused = { code: 'store/failed' };
  for (const bucket of ['ab', 'a'.repeat(64), 'Box', 'a_b', 'a--b', '-ab', 'ab-']) {
    const target = { ...whole, bucket, accountKey: WRONG_KEY };
    await t.throwsAsync(AzureStore.open(target, { clock }), refused, bucket);
  }
  const wrong: readonly Partial<AzureTarget>[] = [
    { accountKey: 'not base64!' },
    { accountKey: WRONG_KEY, sasToken: 'sig=x' },
    { connectionString: 'AccountName=x' },
    { accountName: 'Bad_Name', accountKey: WRONG_KEY },
    { endpoint: 'https://x.blob.core.windows.net/?sig=x', accountKey: WRONG_KEY },
    { endpoint: 'http://127.0.0.1:1/account' },
  ];
  for (const change of wrong) {
    await t.throwsAsync(AzureStore.open({ ...whole, ...change }, { clock }), refused);
  }
});
