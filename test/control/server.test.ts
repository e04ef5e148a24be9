import {
  existsSync,
  linkSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import test from 'ava';

import { CloudvolError } from '../../src/base/errors.ts';
import { createLog, silentLog } from '../../src/base/log.ts';
import { ControlClient } from '../../src/control/client.ts';
import { ROUTES, pathInputs, type Route, type RouteName } from '../../src/control/routes.ts';
import { CALLS } from '../../src/control/schemas.ts';
import { ControlServer, buildServer, type Handlers } from '../../src/control/server.ts';
import { fakeHandlers } from './fake-handlers.ts';

const root = mkdtempSync(join(tmpdir(), 'cloudvol-control-'));
test.after.always(() => rmSync(root, { recursive: true, force: true }));

const GRACE_MS = 5000;
let sockets = 0;
const newSocketPath = () => join(root, `${++sockets}.sock`);

async function serve(given: Partial<Handlers>, socketPath = newSocketPath()) {
  const server = await ControlServer.open({
    socketPath,
    handlers: fakeHandlers(given),
    log: silentLog,
  });
  return { server, client: new ControlClient(socketPath), socketPath };
}

/** One request without a socket. */
async function inject(
  given: Partial<Handlers>,
  request: {
    method: 'GET' | 'POST' | 'DELETE';
    url: string;
    payload?: object | string;
    headers?: Record<string, string>;
  },
) {
  const fastify = buildServer(fakeHandlers(given), silentLog);
  const { statusCode, body } = await fastify.inject(request);
  await fastify.close();
  return {
    status: statusCode,
    body: JSON.parse(body) as { error?: { code: string; message: string } },
  };
}

test('every call has one path, and its path names inputs that it has', (t) => {
  const seen = new Set<string>();
  for (const name of Object.keys(ROUTES) as RouteName[]) {
    const route: Route = ROUTES[name];
    const key = `${route.method} ${route.path}`;
    t.false(seen.has(key), key);
    seen.add(key);
    const inputs = Object.keys(CALLS[name].input.properties);
    for (const input of pathInputs(route)) t.true(inputs.includes(input), `${name}: ${input}`);
    if (route.method === 'GET') t.deepEqual(pathInputs(route), inputs, `${name} has no body`);
  }
});

test('what a client says arrives as it was said, slashes and odd letters too', async (t) => {
  const seen: unknown[] = [];
  const { server, client } = await serve({
    deleteCloudsnap: (input) => {
      seen.push(input);
      throw new CloudvolError('cloudsnap/not-found', 'no');
    },
    deleteVolume: (input) => {
      seen.push(input);
      return {};
    },
  });
  const cloudsnap = '2e4d4b67-95d7-481e-aec5-14223ac55170/567-725-incr';
  await t.throwsAsync(client.call('deleteCloudsnap', { cloudsnap, credential: 'c' }));
  await client.call('deleteVolume', { volume: '980081626967128253' });
  for (const volume of ['../x', 'a b?c#d%2F', '\u0000', 'ä€😀', '$&', 'x'.repeat(300)]) {
    await client.call('deleteVolume', { volume });
    t.deepEqual(seen.at(-1), { volume });
  }
  t.deepEqual(seen[0], { cloudsnap, credential: 'c' });
  t.deepEqual(seen[1], { volume: '980081626967128253' });
  await server.close(GRACE_MS);
});

test('unknown fields are refused, not dropped', async (t) => {
  const url = ROUTES.backup.path;
  const { status, body } = await inject(
    {},
    { method: 'POST', url, payload: { volume: 'v', fulll: true } },
  );
  t.is(status, 400);
  t.is(body.error?.code, 'request/invalid');
  const query = await inject({}, { method: 'GET', url: `${ROUTES.listVolumes.path}?name=x` });
  t.is(query.status, 400);
});

test('a body that would be empty may be left out', async (t) => {
  const handlers = { deleteVolume: () => ({}) };
  const gone = await inject(handlers, { method: 'DELETE', url: '/v1/volumes/v' });
  t.is(gone.status, 200);
  const missing = await inject({}, { method: 'POST', url: ROUTES.backup.path });
  t.is(missing.status, 400);
  t.regex(missing.body.error?.message ?? '', /required property 'volume'/);
});

test('a number is not taken for an id, nor a text for a number or a truth', async (t) => {
  const backup = ROUTES.backup.path;
  const bad = [
    { volume: 7 },
    { volume: 'v', full: 'true' },
    { volume: 'v', full: 1 },
    { volume: 'v', frequency: '7' },
    {},
    [],
  ];
  for (const payload of bad) {
    const { status } = await inject({}, { method: 'POST', url: backup, payload });
    t.is(status, 400, JSON.stringify(payload));
  }
});

test('broken JSON, another content type, an oversized body are refused', async (t) => {
  const url = ROUTES.createVolume.path;
  const json = { 'content-type': 'application/json' };
  const cases: [string, Record<string, string>, number][] = [
    ['{"name":', json, 400],
    ['{"__proto__":{"x":1},"name":"v","sizeBytes":1}', json, 400],
    ['name=v', { 'content-type': 'text/plain' }, 415],
    [`"${'x'.repeat(2 << 20)}"`, json, 413],
  ];
  for (const [payload, headers, expected] of cases) {
    const { status, body } = await inject({}, { method: 'POST', url, payload, headers });
    t.is(status, expected, payload.slice(0, 30));
    t.regex(body.error?.code ?? '', /^request\//);
  }
});

test('a call that there is not is one clear sentence', async (t) => {
  const { status, body } = await inject({}, { method: 'GET', url: '/v1/nothing' });
  t.is(status, 404);
  t.like(body.error, {
    code: 'request/not-found',
    message: 'the agent has no call GET /v1/nothing',
  });
});

test('an error arrives with its code, message, hint and details', async (t) => {
  const details = { dependants: ['a', 'b'] };
  const { server, client } = await serve({
    deleteCloudsnap: () => {
      throw new CloudvolError('cloudsnap/has-dependants', 'needed', {
        hint: 'first others',
        details,
      });
    },
  });
  const error = await t.throwsAsync<CloudvolError>(
    client.call('deleteCloudsnap', { cloudsnap: 'x' }),
    {
      instanceOf: CloudvolError,
    },
  );
  t.like(error, { code: 'cloudsnap/has-dependants', message: 'needed', hint: 'first others' });
  t.deepEqual(error?.details, details);
  await server.close(GRACE_MS);
});

test('a programming mistake is told as one and logged with what was called', async (t) => {
  const lines: string[] = [];
  const handlers = fakeHandlers({
    listVolumes: () => {
      throw new TypeError('x is undefined');
    },
  });
  const fastify = buildServer(
    handlers,
    createLog((line) => lines.push(line)),
  );
  const answer = await fastify.inject({ method: 'GET', url: '/v1/volumes' });
  t.is(answer.statusCode, 500);
  t.is(answer.json<{ error: { code: string } }>().error.code, 'agent/internal');
  t.regex(lines.join('\n'), /"call\.failed".*x is undefined/);
  await fastify.close();
});

test('the socket is for the owner and the group, and goes with the server', async (t) => {
  const { server, socketPath } = await serve({});
  t.is(statSync(socketPath).mode & 0o777, 0o660);
  await server.close(GRACE_MS);
  t.false(existsSync(socketPath));
});

test('the socket file of a dead agent is replaced', async (t) => {
  const socketPath = newSocketPath();
  // A listener that is closed without removing its file leaves what SIGKILL leaves.
  const dead = createServer().listen(`${socketPath}.old`);
  await new Promise((resolve) => dead.once('listening', resolve));
  linkSync(`${socketPath}.old`, socketPath);
  await new Promise((resolve) => dead.close(resolve));
  t.true(existsSync(socketPath));
  const { server, client } = await serve({ listVolumes: () => [] }, socketPath);
  t.deepEqual(await client.call('listVolumes', {}), []);
  await server.close(GRACE_MS);
});

test('a live agent on the same socket is refused and goes on', async (t) => {
  const { server, client, socketPath } = await serve({ listVolumes: () => [] });
  await t.throwsAsync(serve({}, socketPath), { code: 'agent/already-running' });
  t.deepEqual(await client.call('listVolumes', {}), []);
  await server.close(GRACE_MS);
});

test('a file that is no socket is not removed', async (t) => {
  const socketPath = newSocketPath();
  writeFileSync(socketPath, 'precious');
  await t.throwsAsync(serve({}, socketPath), { code: 'agent/bad-socket' });
  t.is(readFileSync(socketPath, 'utf8'), 'precious');
});

test('without an agent a call says so and what to do', async (t) => {
  const client = new ControlClient(join(root, 'none.sock'));
  const error = await t.throwsAsync<CloudvolError>(client.call('listVolumes', {}), {
    code: 'agent/not-running',
  });
  t.regex(error?.hint ?? '', /cloudvol-agent/);
  const long = new ControlClient(`/${'x'.repeat(200)}`);
  await t.throwsAsync(long.call('listVolumes', {}), { code: 'usage/bad-socket' });
});

test('an agent that does not answer is not waited for beyond the deadline', async (t) => {
  const asked = Promise.withResolvers<AbortSignal>();
  const { server, client } = await serve({
    listVolumes: async (_input, signal) => {
      asked.resolve(signal);
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      return [];
    },
  });
  let arrived = false;
  void asked.promise.then(() => (arrived = true));
  // On a busy machine a call may be over before it arrives: then the next one has longer.
  for (let deadlineMs = 250; !arrived; deadlineMs *= 2) {
    await t.throwsAsync(client.call('listVolumes', {}, { deadlineMs }), { code: 'agent/timeout' });
  }
  t.true(await aborted(await asked.promise));
  await server.close(GRACE_MS);
});

test('a call that is interrupted ends with the reason, and the agent is told', async (t) => {
  const asked = Promise.withResolvers<AbortSignal>();
  const { server, client } = await serve({
    waitForTask: async (_input, signal) => {
      asked.resolve(signal);
      await aborted(signal);
      throw signal.reason;
    },
  });
  const controller = new AbortController();
  const call = client.call(
    'waitForTask',
    { task: 't', waitMs: 1000 },
    { signal: controller.signal },
  );
  const heard = await asked.promise;
  controller.abort(new CloudvolError('cli/interrupted', 'interrupted'));
  await t.throwsAsync(call, { code: 'cli/interrupted' });
  await aborted(heard);
  t.pass();
  await server.close(GRACE_MS);
});

test('what answers but is no agent is told apart from one', async (t) => {
  const socketPath = newSocketPath();
  const answers = [
    'HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nhi!',
    'HTTP/1.1 500 X\r\ncontent-length: 2\r\n\r\n{}',
    'nonsense\r\n\r\n',
    '',
  ];
  let connections = 0;
  const stranger = createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', () => socket.end(answers[connections++] ?? ''));
  }).listen(socketPath);
  await new Promise((resolve) => stranger.once('listening', resolve));
  const client = new ControlClient(socketPath);
  const codes: (string | undefined)[] = [];
  for (const _answer of answers) {
    const error = await t.throwsAsync<CloudvolError>(client.call('listVolumes', {}), {
      instanceOf: CloudvolError,
    });
    codes.push(error?.code);
  }
  t.deepEqual(codes, [
    'agent/bad-answer',
    'agent/bad-answer',
    'agent/connection-lost',
    'agent/connection-lost',
  ]);
  await new Promise((resolve) => stranger.close(resolve));
});

test('close waits for the call that is under way', async (t) => {
  const asked = Promise.withResolvers<void>();
  const finish = Promise.withResolvers<void>();
  const { server, client } = await serve({
    deleteVolume: async () => {
      asked.resolve();
      await finish.promise;
      return {};
    },
  });
  const call = client.call('deleteVolume', { volume: 'v' });
  await asked.promise;
  const closed = server.close(GRACE_MS);
  finish.resolve();
  t.deepEqual(await call, {});
  await closed;
});

function aborted(signal: AbortSignal): Promise<true> {
  if (signal.aborted) return Promise.resolve(true);
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve(true), { once: true });
  });
}
