import { openSync, closeSync } from 'node:fs';
import test from 'ava';
import { runHostCommand } from '../../src/volume/host-command.ts';

test('a command’s output is returned, and nothing passes through a shell', async (t) => {
  t.is(await runHostCommand('printf', ['%s|', '$HOME;', 'a b']), '$HOME;|a b|');
});

test('a command that fails is an error with its first line and its exit code', async (t) => {
  const error = await t.throwsAsync(
    runHostCommand('sh', ['-c', 'echo first >&2; echo second >&2; exit 7']),
    { code: 'host/command-failed', message: 'sh failed: first' },
  );
  t.like(error, { details: { exitCode: 7, output: 'first\nsecond' } });
  await t.throwsAsync(runHostCommand('sh', ['-c', 'kill -9 $$']), {
    message: 'sh failed: it ended with SIGKILL',
  });
});

test('a command that is not installed is named, with its package where it is known', async (t) => {
  await t.throwsAsync(runHostCommand('no-such-command', []), {
    code: 'host/command-missing',
    message: 'no-such-command is not installed on this host',
  });
});

test('a command that does not end is ended, and its children hold nobody up', async (t) => {
  const slow = runHostCommand('sh', ['-c', 'sleep 60 & sleep 60'], { timeoutMs: 200 });
  await t.throwsAsync(slow, {
    code: 'host/command-timeout',
    message: 'sh did not end within 200 ms',
  });
});

test('more output than anybody reads is cut, and the command ends', async (t) => {
  const output = await runHostCommand('head', ['-c', '3000000', '/dev/zero']);
  t.true(output.length >= 65_536 && output.length < 200_000);
});

test('descriptors are handed over as 3 and up', async (t) => {
  const fd = openSync('/proc/self/cmdline', 'r');
  t.teardown(() => closeSync(fd));
  t.true((await runHostCommand('sh', ['-c', 'cat <&3'], { descriptors: [fd] })).length > 0);
  await t.throwsAsync(runHostCommand('sh', ['-c', 'cat <&3']), { code: 'host/command-failed' });
});
