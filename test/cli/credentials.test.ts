import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import test, { type ExecutionContext } from 'ava';

import { CloudvolError } from '../../src/base/errors.ts';
import { PROVIDER_FIELDS } from '../../src/config/provider-fields.ts';
import { command } from '../../src/cli/commands/credentials/create.ts';
import { EXIT } from '../../src/cli/exit-codes.ts';
import { credentialView, openCliLab } from './cli-lab.ts';

const CANARY = 'c4n4ry-c4n4ry';
const cells = (line: string) => line.split(/\s{2,}/);

/** What `credentials create …` asks the agent for. */
async function openCreateLab(t: ExecutionContext) {
  const seen: unknown[] = [];
  const lab = await openCliLab(t, {
    createCredential: (input) => {
      seen.push(input);
      return credentialView();
    },
  });
  const create =
    (stdin = '') =>
    async (...args: string[]) => {
      const ended = await lab.runWith(stdin, 'credentials', 'create', ...args);
      t.notRegex(ended.stdout + ended.stderr, new RegExp(CANARY));
      return ended;
    };
  return { seen, create };
}

function temporaryFile(t: ExecutionContext, content: string): string {
  const directory = mkdtempSync(join(tmpdir(), 'cloudvol-flags-'));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  const path = join(directory, 'file');
  writeFileSync(path, content);
  return path;
}

test("the document's own line for S3 asks for what it says", async (t) => {
  const { seen, create } = await openCreateLab(t);
  const line =
    '--provider s3  --s3-access-key AKIAJ7CDD7XGRWVZ7A --s3-secret-key mbJKlOWER4512ONMlwSzXHYA ' +
    '--s3-region us-east-1 --s3-endpoint s3.amazonaws.com --bucket bucket-id my-s3-cred';
  const { code, stdout } = await create()(...line.split(/ +/));
  t.is(stdout, 'Credentials created successfully, UUID:af563a4d-afd7-48df-90f7-8e8f9414ff77\n');
  t.is(code, 0);
  t.deepEqual(seen, [
    {
      name: 'my-s3-cred',
      provider: 's3',
      accessKey: 'AKIAJ7CDD7XGRWVZ7A',
      secretKey: 'mbJKlOWER4512ONMlwSzXHYA',
      region: 'us-east-1',
      endpoints: ['s3.amazonaws.com'],
      bucket: 'bucket-id',
    },
  ]);
});

test('every further flag of S3 travels', async (t) => {
  const { seen, create } = await openCreateLab(t);
  const ca = temporaryFile(t, '-----BEGIN CERTIFICATE-----\n');
  const line = [
    '--provider=s3 --use-iam --s3-endpoint a:1,b:2 --s3-disable-ssl --disable-path-style',
    `--s3-storage-class STANDARD_IA --s3-sse aws:kms --ca ${ca} --enc words mine`,
  ].join(' ');
  t.is((await create()(...line.split(' '))).code, 0);
  t.deepEqual(seen, [
    {
      name: 'mine',
      provider: 's3',
      useIam: true,
      endpoints: ['a:1', 'b:2'],
      disableSsl: true,
      virtualHost: true,
      storageClass: 'STANDARD_IA',
      sse: 'aws:kms',
      ca: '-----BEGIN CERTIFICATE-----',
      passphrase: 'words',
    },
  ]);
});

test("the document's own lines for Azure and Google ask for what they say", async (t) => {
  const { seen, create } = await openCreateLab(t);
  const key = temporaryFile(t, '{"client_email":"x"}\n');
  const azure =
    '--provider azure --azure-account-name portworxtest ' +
    '--azure-account-key zbJSSpOOWENBGHSY12ZLERJJV my-azure-cred';
  const google =
    `--provider google --google-project-id px-test --google-json-key-file ${key} ` +
    'my-google-cred';
  await create()(...azure.split(' '));
  await create()(...google.split(' '));
  t.deepEqual(seen, [
    {
      name: 'my-azure-cred',
      provider: 'azure',
      accountName: 'portworxtest',
      accountKey: 'zbJSSpOOWENBGHSY12ZLERJJV',
    },
    {
      name: 'my-google-cred',
      provider: 'google',
      projectId: 'px-test',
      jsonKey: '{"client_email":"x"}',
    },
  ]);
});

test('a secret comes from a file, from the standard input, or begins with @', async (t) => {
  const { seen, create } = await openCreateLab(t);
  const file = temporaryFile(t, `${CANARY}\n`);
  const azure = ['--provider', 'azure', '--azure-account-name', 'a', 'x', '--azure-sas-token'];
  await create()(...azure, `@${file}`);
  await create(`${CANARY}\r\n`)(...azure, '-');
  await create()(...azure, '@@home');
  const { code, stderr } = await create(CANARY)(...azure, '-', '--enc', '-');
  t.deepEqual(
    seen.map((input) => (input as { sasToken: string }).sasToken),
    [CANARY, CANARY, '@home'],
  );
  t.is(code, EXIT.usage);
  t.regex(stderr, /only one value can come from the standard input/);
  t.is((await create()(...azure, '@/nowhere/at-all')).code, EXIT.usage);
});

test('a passphrase comes by option, file, descriptor or pipe, from one place only', async (t) => {
  const { seen, create } = await openCreateLab(t);
  const file = temporaryFile(t, `${CANARY}\n`);
  const fd = openSync(file, 'r');
  t.teardown(() => closeSync(fd));
  const directory = ['--provider', 'directory', '--path', '/srv', 'x'];
  const enc = '--encryption-passphrase';
  await create()(...directory, enc, CANARY);
  await create()(...directory, `${enc}-file`, file);
  await create(CANARY)(...directory, `${enc}-file`, '-');
  await create()(...directory, `${enc}-fd`, String(fd));
  await create(CANARY)(...directory, enc, '-');
  t.deepEqual(
    seen.map((input) => (input as { passphrase: string }).passphrase),
    Array.from({ length: 5 }, () => CANARY),
  );
  const twice = await create()(...directory, enc, CANARY, `${enc}-file`, file);
  t.is(twice.code, EXIT.usage);
  t.regex(twice.stderr, /in more than one way/);
  t.is((await create()(...directory, `${enc}-fd`, 'seven')).code, EXIT.usage);
  t.is((await create()(...directory, `${enc}-file`, '/dev/zero')).code, EXIT.usage);
  t.is((await create()(...directory, `${enc}-file`, '/dev/null')).code, EXIT.usage);
});

test('a flag of another provider, and a provider that is none, are one sentence', async (t) => {
  const { seen, create } = await openCreateLab(t);
  const foreign = await create()('--provider', 's3', '--azure-account-key', CANARY, 'x');
  t.is(foreign.code, EXIT.usage);
  t.regex(foreign.stderr, /--azure-account-key goes with --provider azure, not with s3/);
  t.is((await create()('--provider', 'tape', 'x')).code, EXIT.usage);
  t.deepEqual(seen, []);
});

test('every field of every provider has its option', (t) => {
  for (const flag of Object.values(PROVIDER_FIELDS).flatMap((fields) => Object.values(fields))) {
    t.true(flag in command.options, flag);
  }
});

test('credentials list prints a table for each provider, as the original does', async (t) => {
  const s3 = credentialView({
    name: 'my-s3-cred',
    provider: 's3',
    region: 'us-east-1',
    endpoints: ['70.0.99.121:9010', '70.0.99.122:9010'],
    accessKey: 'AB6R80F3SY0VW9NS6HYQ',
    ssl: false,
    writeBytesPerSecond: 1979 * 1024,
  });
  const google = credentialView({
    name: 'my-google-cred',
    provider: 'google',
    projectId: '235475231246',
    bucket: 'snaps',
    encrypted: true,
  });
  const azure = credentialView({ name: 'az', provider: 'azure', accountName: 'pwx-test' });
  const directory = credentialView({ path: '/srv/x' });
  const all = [directory, azure, s3, google];
  const lab = await openCliLab(t, { listCredentials: () => all });
  const { stdout } = await lab.run('credentials', 'list');
  const last = ['ENCRYPTION', 'BUCKET', 'WRITE THROUGHPUT (KBPS)'];
  t.deepEqual(stdout.trimEnd().split('\n').map(cells), [
    ['S3 Credentials'],
    ['UUID', 'NAME', 'REGION', 'ENDPOINT', 'ACCESS KEY', 'SSL ENABLED', ...last],
    [
      s3.id,
      'my-s3-cred',
      'us-east-1',
      '70.0.99.121:9010,70.0.99.122:9010',
      'AB6R80F3SY0VW9NS6HYQ',
      'false',
      'false',
      '<nil>',
      '1979',
    ],
    [''],
    ['Google Credentials'],
    ['UUID', 'NAME', 'PROJECT ID', ...last],
    [google.id, 'my-google-cred', '235475231246', 'true', 'snaps', '<nil>'],
    [''],
    ['Azure Credentials'],
    ['UUID', 'NAME', 'ACCOUNT NAME', ...last],
    [azure.id, 'az', 'pwx-test', 'false', '<nil>', '<nil>'],
    [''],
    ['Directory Credentials'],
    ['UUID', 'NAME', 'PATH', 'ENCRYPTION', 'WRITE THROUGHPUT (KBPS)'],
    [directory.id, 'mine', '/srv/x', 'false', '<nil>'],
  ]);
  t.is((await lab.run('cloudsnap', 'credentials', 'list')).stdout, stdout);
  t.deepEqual(JSON.parse((await lab.run('credentials', 'list', '--json')).stdout), all);
});

test('credentials delete says so; an empty list is a sentence', async (t) => {
  const lab = await openCliLab(t, { listCredentials: () => [], deleteCredential: () => ({}) });
  t.is((await lab.run('credentials', 'list')).stdout, 'No credentials configured\n');
  t.is(
    (await lab.run('credentials', 'delete', 'mine')).stdout,
    'Credential deleted successfully\n',
  );
});

test('credentials validate prints each check; what is missing is an exit code', async (t) => {
  const checks = [
    { name: 'connect', outcome: 'ok', words: 's3://x answers' },
    { name: 'write', outcome: 'failed', words: 'you may not write' },
  ];
  let valid = true;
  const lab = await openCliLab(t, {
    validateCredential: () => ({ valid, checks, writeBytesPerSecond: null }),
  });
  const good = await lab.run('credentials', 'validate', 'mine');
  t.regex(good.stdout, /^connect +ok +s3:\/\/x answers$/m);
  t.regex(good.stdout, /Credential validated successfully\n$/);
  t.is(good.code, 0);
  valid = false;
  const bad = await lab.run('credentials', 'validate', 'mine');
  t.regex(bad.stderr, /cannot be used/);
  t.is(bad.code, EXIT.failed);
  t.false(
    (JSON.parse((await lab.run('cred', 'v', 'mine', '-j')).stdout) as { valid: boolean }).valid,
  );
});

test('credentials delete-refs names the tasks that it stopped', async (t) => {
  const lab = await openCliLab(t, {
    deleteCredentialReferences: () => ({
      deletedSchedules: ['daily'],
      stoppedTasks: ['one', 'two'],
    }),
  });
  t.is(
    (await lab.run('credentials', 'delete-refs', 'mine')).stdout,
    'Schedule daily deleted\nTask one stopped\nTask two stopped\n' +
      'References to the credential deleted successfully\n',
  );
});

test('credentials change-passphrase takes both passphrases from where they are', async (t) => {
  const seen: unknown[] = [];
  const lab = await openCliLab(t, {
    changePassphrase: (input) => {
      seen.push(input);
      return {
        outcome: 'changed',
        credentials: ['mine'],
        unchecked: ['far'],
        otherClusters: 2,
      };
    },
  });
  const file = temporaryFile(t, `${CANARY}\n`);
  const change = ['credentials', 'change-passphrase', 'mine'];
  const plain = await lab.run(...change, '--passphrase-file', file);
  t.is(plain.stdout, 'Credential mine has the new passphrase\nPassphrase changed successfully\n');
  t.regex(plain.stderr, /change-passphrase far$[^]*^2 other cluster/m);
  const both = ['--passphrase', '-', '--old-passphrase-file', file, '--all-clusters'];
  t.notRegex((await lab.runWith('new', ...change, ...both)).stderr, new RegExp(CANARY));
  t.deepEqual(seen, [
    { credential: 'mine', passphrase: CANARY, allClusters: false },
    { credential: 'mine', passphrase: 'new', oldPassphrase: CANARY, allClusters: true },
  ]);
  const missing = await lab.run(...change);
  t.is(missing.code, EXIT.usage);
  t.regex(missing.stderr, /no terminal to ask on\nhint: .*--passphrase-file/);
  t.is(seen.length, 2);
});

test('a passphrase that does not open is one sentence with the way out', async (t) => {
  const lab = await openCliLab(t, {
    changePassphrase: () => {
      throw new CloudvolError('cloudsnap/wrong-passphrase', 'the passphrase does not open', {
        hint: 'give the present one',
      });
    },
  });
  const { code, stderr } = await lab.run('cred', 'cp', 'mine', '--passphrase', 'new');
  t.is(code, EXIT.noPermission);
  t.is(stderr, 'cloudvol: the passphrase does not open\nhint: give the present one\n');
});
