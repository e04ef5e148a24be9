import test, { type ExecutionContext } from 'ava';

import { CloudvolError } from '../../src/base/errors.ts';
import { PROVIDER_FIELDS, PROVIDERS } from '../../src/config/provider-fields.ts';
import type { CredentialFields } from '../../src/secrets/credential.ts';
import { splitCredential } from '../../src/secrets/split-credential.ts';

const CANARY = 'c4n4ry-c4n4ry';
const S3 = { provider: 's3', accessKey: 'AKIA', secretKey: CANARY } as const;
const AZURE = { provider: 'azure', accountName: 'account', accountKey: 'Y2FuYXJ5' } as const;
const GOOGLE_KEY = JSON.stringify({
  type: 'service_account',
  project_id: 'px-test',
  client_email: 'a@px-test.example',
  private_key: CANARY,
});
const GOOGLE = { provider: 'google', jsonKey: GOOGLE_KEY } as const;

function refused(t: ExecutionContext, fields: CredentialFields, message: RegExp): void {
  const error = t.throws<CloudvolError>(() => splitCredential(fields), {
    instanceOf: CloudvolError,
    message,
  });
  t.regex(error.code, /^credential\/bad-/);
  t.notRegex(JSON.stringify([error.message, error.hint, error.details]), new RegExp(CANARY));
}

test('plain settings and secret parts are split, and nothing secret is in the settings', (t) => {
  t.deepEqual(splitCredential({ ...S3, region: 'eu-1', endpoints: ['a:1', '[::1]:2'] }), {
    settings: { provider: 's3', accessKey: 'AKIA', region: 'eu-1', endpoints: ['a:1', '[::1]:2'] },
    secrets: { secretKey: CANARY },
  });
  t.deepEqual(splitCredential({ ...AZURE, bucket: 'snaps', passphrase: CANARY }), {
    settings: { provider: 'azure', accountName: 'account', bucket: 'snaps' },
    secrets: { accountKey: 'Y2FuYXJ5', passphrase: CANARY },
  });
  t.deepEqual(splitCredential(GOOGLE), {
    settings: { provider: 'google', projectId: 'px-test' },
    secrets: { jsonKey: GOOGLE_KEY },
  });
  t.deepEqual(splitCredential({ provider: 'directory', path: '/srv', passphrase: CANARY }), {
    settings: { provider: 'directory', path: '/srv' },
    secrets: { passphrase: CANARY },
  });
});

test('with --use-iam there is no secret, so that no login is needed', (t) => {
  for (const fields of [
    { provider: 's3', useIam: true },
    { provider: 'azure', useIam: true, accountName: 'account' },
    { provider: 'google', useIam: true, projectId: 'p' },
  ] as const) {
    t.deepEqual(splitCredential(fields).secrets, {}, fields.provider);
  }
});

test('a connection string gives the account that the list shows', (t) => {
  const connectionString = `EndpointSuffix=x.example;AccountName=pwxtest;AccountKey=${CANARY}`;
  t.deepEqual(splitCredential({ provider: 'azure', connectionString }).settings, {
    provider: 'azure',
    accountName: 'pwxtest',
  });
  refused(t, { provider: 'azure', connectionString, accountName: 'other' }, /other is not/);
  refused(t, { provider: 'azure', connectionString: CANARY }, /neither an account nor/);
});

test('wrong combinations of keys are named by their flags', (t) => {
  refused(t, { provider: 's3' }, /needs a key: --s3-access-key is missing/);
  refused(
    t,
    { provider: 's3', accessKey: 'A' },
    /--s3-access-key was given without --s3-secret-key/,
  );
  refused(t, { provider: 's3', secretKey: CANARY }, /--s3-access-key/);
  refused(t, { ...S3, useIam: true }, /--s3-access-key and --use-iam exclude each other/);
  refused(t, { provider: 's3', secretKey: CANARY, useIam: true }, /--s3-secret-key was given/);
  refused(t, { ...AZURE, sasToken: CANARY }, /--azure-account-key and --azure-sas-token exclude/);
  refused(t, { provider: 'azure', accountName: 'account' }, /--azure-account-key is missing/);
  refused(t, { provider: 'azure', accountKey: 'Y2E=' }, /--azure-account-name is missing/);
  refused(t, { provider: 'google', projectId: 'p' }, /--google-json-key-file is missing/);
});

test('a field of another provider is refused by its flag', (t) => {
  refused(t, { ...S3, accountName: 'a' }, /--azure-account-name does not go with provider s3/);
  refused(t, { ...GOOGLE, path: '/x' }, /--path does not go with provider google/);
  refused(t, { provider: 'directory', path: '/x', bucket: 'b' }, /--bucket does not go with/);
  refused(t, { provider: 'directory', path: '/x', ca: 'c' }, /--ca does not go with/);
});

test('malformed values are refused, secrets without being quoted', (t) => {
  for (const path of ['relative', '', '/a\0b']) {
    refused(t, { provider: 'directory', path }, /is not an absolute path/);
  }
  refused(t, { provider: 'directory' }, /--path is missing/);
  for (const endpoint of ['http://a:1', 'a:0', 'a:70000', 'a/b', '', 'a:x', '-a', 'a b']) {
    refused(t, { ...S3, endpoints: [endpoint] }, /--s3-endpoint .* is not host:port/);
  }
  refused(t, { ...S3, region: 'us east' }, /--s3-region/);
  refused(t, { ...S3, sse: 'rot13' }, /--s3-sse "rot13" is not known/);
  refused(t, { ...S3, storageClass: 'DEEP_ARCHIVE' }, /cannot be read at once/);
  refused(t, { ...S3, bucket: '../x' }, /--bucket is not a possible name/);
  refused(t, { ...S3, ca: 'no certificate' }, /--ca holds no certificate/);
  refused(t, { ...S3, passphrase: CANARY.repeat(100) }, /--encryption-passphrase has more than/);
  refused(t, { ...AZURE, accountKey: `${CANARY}!` }, /--azure-account-key is not base64/);
  refused(t, { ...AZURE, accountName: 'Not.Azure' }, /is no account name/);
  refused(t, { ...AZURE, endpoint: 'host:1' }, /--azure-endpoint is not the URL/);
  refused(t, { provider: 'google', jsonKey: `{${CANARY}` }, /--google-json-key-file is not JSON/);
  refused(t, { provider: 'google', jsonKey: `{"a":"${CANARY}"}` }, /is not a service account's/);
});

test('every provider has a flag for a passphrase, and no flag says two things', (t) => {
  for (const provider of PROVIDERS) {
    const flags = Object.values(PROVIDER_FIELDS[provider]);
    t.is(new Set(flags).size, flags.length, provider);
    t.true(flags.includes('encryption-passphrase'), provider);
  }
});
