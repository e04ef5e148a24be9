import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';

import test, { type ExecutionContext } from 'ava';

import { CloudvolError } from '../../src/base/errors.ts';
import { silentLog } from '../../src/base/log.ts';
import { ControlClient } from '../../src/control/client.ts';
import { ControlServer, type Handlers } from '../../src/control/server.ts';
import { fakeHandlers } from './fake-handlers.ts';

const INPUT = { cloudsnap: 'c/1-1', paths: ['/x'] };
type Handler = Handlers['extractCloudsnap'];

async function serve(t: ExecutionContext, extractCloudsnap: Handler): Promise<ControlClient> {
  const directory = mkdtempSync(join(tmpdir(), 'cloudvol-streams-'));
  const socketPath = join(directory, 'agent.sock');
  const handlers = fakeHandlers({ extractCloudsnap });
  const server = await ControlServer.open({ socketPath, handlers, log: silentLog });
  t.teardown(async () => {
    await server.close(0);
    rmSync(directory, { recursive: true, force: true });
  });
  return new ControlClient(socketPath);
}

async function read(client: ControlClient): Promise<number> {
  let bytes = 0;
  for await (const chunk of client.stream('extractCloudsnap', INPUT)) bytes += chunk.length;
  return bytes;
}

const CHUNK = new Uint8Array(1 << 20);

test('a stream arrives whole, at the pace of its reader', async (t) => {
  let yielded = 0;
  const client = await serve(t, async function* () {
    for (; yielded < 64; yielded++) yield CHUNK;
  });
  const stream = client.stream('extractCloudsnap', INPUT);
  const first = await stream.next();
  for (let turn = 0; turn < 100; turn++) await setImmediate();
  t.true(yielded < 32, `${yielded} MiB were made for a reader that has taken one chunk`);
  let bytes = first.value?.length ?? 0;
  for await (const chunk of stream) bytes += chunk.length;
  t.is(bytes, 64 * CHUNK.length);
  t.is(yielded, 64);
});

test('an empty stream is complete', async (t) => {
  t.is(await read(await serve(t, async function* () {})), 0);
});

test('a failure reaches the reader in its own words, at the first chunk or later', async (t) => {
  for (const chunks of [0, 3]) {
    const client = await serve(t, async function* () {
      for (let i = 0; i < chunks; i++) yield CHUNK;
      const hint = 'wörds of\nmore than one line';
      throw new CloudvolError('catalog/unreadable', 'it failed', { hint });
    });
    const error = await t.throwsAsync(read(client), { instanceOf: CloudvolError });
    t.is(error.code, 'catalog/unreadable');
    t.is(error.message, 'it failed');
    t.is(error.hint, 'wörds of\nmore than one line');
  }
});

test('a mistake in the middle is said to be one', async (t) => {
  const client = await serve(t, async function* () {
    yield CHUNK;
    throw new TypeError('x is undefined');
  });
  await t.throwsAsync(read(client), { code: 'agent/internal' });
});

test('a stream without a word about its end was cut off', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'cloudvol-streams-'));
  const socketPath = join(directory, 'agent.sock');
  const server = createServer((_, answer) => answer.end(CHUNK));
  await new Promise<void>((resolve) => server.listen(socketPath, resolve));
  t.teardown(() => {
    server.close();
    rmSync(directory, { recursive: true, force: true });
  });
  await t.throwsAsync(read(new ControlClient(socketPath)), { code: 'agent/connection-lost' });
});

test('a reader that leaves ends the work for it', async (t) => {
  const { promise: ended, resolve } = Promise.withResolvers<string>();
  const client = await serve(t, async function* (_, signal) {
    signal.addEventListener('abort', () => resolve((signal.reason as CloudvolError).code));
    for (;;) {
      signal.throwIfAborted();
      yield CHUNK;
    }
  });
  for await (const _ of client.stream('extractCloudsnap', INPUT)) break;
  t.is(await ended, 'request/cancelled');
});

test('an interrupt ends a stream with its own reason', async (t) => {
  const client = await serve(t, async function* (_, signal) {
    yield CHUNK;
    await new Promise((_resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason as Error));
    });
  });
  const controller = new AbortController();
  const stream = client.stream('extractCloudsnap', INPUT, { signal: controller.signal });
  await stream.next();
  controller.abort(new CloudvolError('cli/interrupted', 'interrupted'));
  await t.throwsAsync(
    async () => {
      for await (const _ of stream);
    },
    { code: 'cli/interrupted' },
  );
});
