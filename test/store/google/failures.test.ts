import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import test from 'ava';
import { GoogleStore } from '../../../src/store/google.ts';
import { startFakeGcs } from '../../support/servers/fake-gcs.ts';
import { freePort } from '../../support/servers/server.ts';
import { requires } from '../../support/requires.ts';

const refused = { code: 'store/failed' };

requires('fake-gcs-server')('without create a missing bucket is not made', async (t) => {
  const server = await startFakeGcs();
  t.teardown(() => server.stop());
  const target = { ...server.target('absent'), create: false };
  for (let time = 0; time < 2; time++) {
    await t.throwsAsync(GoogleStore.open(target), {
      code: 'store/not-found',
      message: `cannot open bucket absent at ${server.endpoint}: there is no such bucket`,
    });
  }
});

test('nothing at the endpoint is one sentence', async (t) => {
  const endpoint = `http://127.0.0.1:${await freePort()}`;
  await t.throwsAsync(GoogleStore.open({ provider: 'google', bucket: 'box', endpoint }), {
    code: 'store/unavailable',
    message: `cannot open bucket box at ${endpoint}: nothing listens at ${endpoint}`,
  });
});

test('an endpoint where something else answers is told, whatever it says', async (t) => {
  let answer = '';
  const other = createServer((_, response) => response.end(answer)).listen(0, '127.0.0.1');
  await once(other, 'listening');
  t.teardown(() => other.close().closeAllConnections());
  const { port } = other.address() as AddressInfo;
  const endpoint = `http://127.0.0.1:${port}`;
  const target = { provider: 'google', bucket: 'box', endpoint } as const;
  const foreign = { code: 'store/unavailable', message: /not in the words of such a store$/ };
  const noItems = '{"kind":"storage#objects","items":1}';
  for (answer of ['<html><p>log in</p></html>', '{}', '', '[]', noItems]) {
    const opening = GoogleStore.open(target);
    await t.throwsAsync(opening, foreign, answer);
  }
});

test('what cannot be right is said before anybody is asked', async (t) => {
  for (const bucket of ['ab', 'a'.repeat(64), 'Box', '-ab', 'ab-', 'a.b']) {
    await t.throwsAsync(GoogleStore.open({ provider: 'google', bucket }), refused, bucket);
  }
  for (const jsonKey of ['secret-words', '{"private_key":"secret-words"}', '[]', 'null']) {
    const opening = GoogleStore.open({ provider: 'google', bucket: 'box', jsonKey });
    const error = await t.throwsAsync(opening, refused, jsonKey);
    t.false(error.message.includes('secret-words'));
  }
});
