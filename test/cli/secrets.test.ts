import test from 'ava';

import { CloudvolError } from '../../src/base/errors.ts';
import { EXIT } from '../../src/cli/exit-codes.ts';
import { openCliLab } from './cli-lab.ts';

const LOGIN = ['secrets', 'kvdb', 'login'];

test('secrets kvdb login reads a pipe and says the words of the original', async (t) => {
  const seen: unknown[] = [];
  const lab = await openCliLab(t, {
    inspectSecrets: () => ({ hasPassphrase: true, unlocked: false }),
    loginSecrets: (input) => {
      seen.push(input);
      return { passphraseSet: false };
    },
  });
  const { code, stdout, stderr } = await lab.runWith('words\n', ...LOGIN, '-');
  t.is(stdout, 'Successful Login to Secrets Endpoint!\n');
  t.is(stderr, '');
  t.is(code, 0);
  await lab.runWith('words', ...LOGIN, '--passphrase-file', '-');
  t.deepEqual(seen, [{ passphrase: 'words' }, { passphrase: 'words' }]);
});

test('without a terminal login says how else; no passphrase is an argument', async (t) => {
  const lab = await openCliLab(t, {
    inspectSecrets: () => ({ hasPassphrase: false, unlocked: false }),
  });
  const silent = await lab.run(...LOGIN);
  t.is(silent.code, EXIT.usage);
  t.regex(silent.stderr, /no terminal to ask on\nhint: .*--passphrase-fd/);
  const told = await lab.run(...LOGIN, 'hunter2');
  t.is(told.code, EXIT.usage);
  t.notRegex(told.stderr, /hunter2/);
});

test('a locked store is exit code 77 and says what to do', async (t) => {
  const lab = await openCliLab(t, {
    listCloudsnaps: () => {
      throw new CloudvolError('secrets/locked', 'the secret store is locked', {
        hint: 'cloudvol secrets kvdb login',
      });
    },
  });
  const { code, stderr } = await lab.run('cloudsnap', 'list');
  t.is(code, EXIT.noPermission);
  t.is(stderr, 'cloudvol: the secret store is locked\nhint: cloudvol secrets kvdb login\n');
});

test('logout and status say what is so; groups within groups have their help', async (t) => {
  const lab = await openCliLab(t, {
    inspectSecrets: () => ({ hasPassphrase: true, unlocked: false }),
    logoutSecrets: () => ({}),
  });
  t.is((await lab.run('secrets', 'kvdb', 'logout')).code, 0);
  t.regex((await lab.run('secrets', 'kvdb', 'status')).stdout, /^Locked: /);
  t.regex((await lab.run('secrets', '--help')).stdout, /^ {3}kvdb /m);
  t.regex((await lab.run('secrets', 'kvdb', '--help')).stdout, /cloudvol secrets kvdb command/);
  const unknown = await lab.run('secrets', 'kvdb', 'logni');
  t.regex(unknown.stderr, /did you mean 'cloudvol secrets kvdb login'/);
});
