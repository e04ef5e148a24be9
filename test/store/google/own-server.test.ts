import { generateKeyPairSync } from 'node:crypto';
import test, { type ExecutionContext } from 'ava';
import type { CloudvolError } from '../../../src/base/errors.ts';
import { GoogleStore } from '../../../src/store/google.ts';
import { openStore } from '../../../src/store/open-store.ts';
import type { GoogleTarget } from '../../../src/store/store-target.ts';
import { serviceAccountKey, startOwnGcs, type AnswerBody } from '../../support/servers/own-gcs.ts';

async function start(t: ExecutionContext, answerBody: AnswerBody): Promise<GoogleTarget> {
  const server = await startOwnGcs(answerBody);
  t.teardown(() => server.stop());
  const { endpoint, jsonKey } = server;
  return { provider: 'google', bucket: 'box', endpoint, jsonKey };
}

const whole: AnswerBody = (_, response) => response.end('12345');

test('the key of a service account signs the requests; another key is one sentence', async (t) => {
  const target = await start(t, whole);
  const store = await GoogleStore.open(target);
  t.is(Buffer.from(await store.get('a')).toString(), '12345');
  await store.close();
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const jsonKey = serviceAccountKey(privateKey.export({ type: 'pkcs8', format: 'pem' }).toString());
  await t.throwsAsync(GoogleStore.open({ ...target, jsonKey }), {
    code: 'store/denied',
    message: `cannot open bucket box at ${target.endpoint}: it refuses the credentials`,
  });
});

test.serial('the library prints nothing of its own when it takes a key', async (t) => {
  const target = await start(t, whole);
  const printed: unknown[] = [];
  const { warn } = console;
  console.warn = (...words: unknown[]) => printed.push(words);
  try {
    await (await GoogleStore.open(target)).close();
  } finally {
    console.warn = warn;
  }
  t.deepEqual(printed, []);
});

test('a body that breaks off is corrupt, and whole when it is asked for again', async (t) => {
  let requests = 0;
  const target = await start(t, (request, response) => {
    if (++requests === 2) return whole(request, response);
    response.writeHead(200, { 'content-length': '5' });
    response.write('123', () => response.destroy());
  });
  const bare = await GoogleStore.open(target);
  await t.throwsAsync(bare.get('a'), { code: 'store/corrupt' });
  await bare.close();
  t.is(requests, 1, 'nothing below retries');
  const store = await openStore(target);
  t.is((await store.get('a')).length, 5);
  await store.close();
});

test('a store that is busy is asked again by the retry layer only', async (t) => {
  let requests = 0;
  const target = await start(t, (request, response) => {
    if (++requests % 2 === 0) return whole(request, response);
    response.writeHead(503, { 'retry-after': '1' }).end();
  });
  const bare = await GoogleStore.open(target);
  const busy = await t.throwsAsync<CloudvolError>(bare.get('a'), { code: 'store/unavailable' });
  t.is(busy.details?.['retryAfterMs'], 1000);
  await bare.close();
  t.is(requests, 1);
  requests = 0;
  const store = await openStore(target);
  t.is((await store.get('a')).length, 5);
  t.is(requests, 2);
  await store.close();
});

test('an abort ends a call that hangs with its own reason, also within the answer', async (t) => {
  for (const begun of [false, true]) {
    const controller = new AbortController();
    const reason = new Error('stopped');
    const target = await start(t, (_, response) => {
      if (begun) response.writeHead(200, { 'content-length': '5' }).write('12');
      controller.abort(reason);
    });
    const store = await GoogleStore.open(target);
    const get = store.get('a', { signal: controller.signal });
    t.is(await t.throwsAsync(get), reason);
    await store.close();
  }
});
