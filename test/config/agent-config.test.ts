import test from 'ava';

import { CloudvolError } from '../../src/base/errors.ts';
import { parseAgentConfig } from '../../src/config/agent-config.ts';
import { clientSocketPath, socketPathProblem } from '../../src/config/socket-path.ts';

test('without flags and environment the agent uses the directories of the system', (t) => {
  t.deepEqual(parseAgentConfig([], {}), {
    stateDir: '/var/lib/cloudvol',
    runtimeDir: '/run/cloudvol',
    liveDir: '/run/cloudvol/live',
    socketPath: '/run/cloudvol/agent.sock',
    logLevel: 'info',
    stallLimitMs: 600_000,
    sweepIntervalMs: 24 * 3_600_000,
  });
});

test('a flag goes before the environment, the environment before the default', (t) => {
  const env = { CLOUDVOL_STATE_DIR: '/env/state', CLOUDVOL_RUNTIME_DIR: '/env/run' };
  const config = parseAgentConfig(['--state-dir', '/flag/state', '--log-level=debug'], env);
  t.is(config.stateDir, '/flag/state');
  t.is(config.runtimeDir, '/env/run');
  t.is(config.liveDir, '/env/run/live');
  t.is(config.logLevel, 'debug');
});

test('all mistakes are reported together', (t) => {
  const args = [
    '--stat-dir',
    '/x',
    '--log-level',
    'loud',
    '--runtime-dir',
    '/r'.repeat(60),
    'word',
  ];
  const error = t.throws<CloudvolError>(() => parseAgentConfig(args, {}), {
    instanceOf: CloudvolError,
    code: 'config/invalid',
  });
  for (const part of ['--stat-dir', 'log-level', 'at most 107', '"word"']) {
    t.true(error?.message.includes(part), `${part} is missing in: ${error?.message}`);
  }
});

test('state and runtime directory must differ', (t) => {
  t.throws(() => parseAgentConfig(['--state-dir', '/x', '--runtime-dir', '/x/.'], {}), {
    message: /must differ/,
  });
});

test('a socket path is measured in bytes, and 107 of them fit', (t) => {
  t.is(socketPathProblem('/'.repeat(107)), undefined);
  t.regex(socketPathProblem('/'.repeat(108)) ?? '', /has 108 bytes/);
  t.regex(socketPathProblem('é'.repeat(54)) ?? '', /has 108 bytes/);
});

test('a command finds the socket by flag, then environment, then runtime directory', (t) => {
  const env = { CLOUDVOL_SOCKET: '/env.sock', CLOUDVOL_RUNTIME_DIR: '/env/run' };
  t.is(clientSocketPath('/flag.sock', env), '/flag.sock');
  t.is(clientSocketPath(undefined, env), '/env.sock');
  t.is(clientSocketPath(undefined, { CLOUDVOL_RUNTIME_DIR: '/env/run' }), '/env/run/agent.sock');
  t.is(clientSocketPath(undefined, {}), '/run/cloudvol/agent.sock');
});

test('the limit of a stalled task is a time with a unit, or none', (t) => {
  const limitOf = (text: string) => parseAgentConfig(['--stall-limit', text], {}).stallLimitMs;
  t.deepEqual(['0', '30s', '10m', '2h'].map(limitOf), [0, 30_000, 600_000, 7_200_000]);
  for (const text of ['10', '-1m', '1.5h', '1d', '0s', '169h', 'ten']) {
    t.throws(() => limitOf(text), { code: 'config/invalid' }, text);
  }
});
