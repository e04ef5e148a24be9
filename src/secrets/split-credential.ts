import { isAbsolute } from 'node:path';

import { CloudvolError } from '../base/errors.ts';
import { flagOf, PROVIDER_FIELDS, SECRET_PARTS, type Provider } from '../config/provider-fields.ts';
import { checkAzure } from './check-azure.ts';
import { checkGoogle } from './check-google.ts';
import { checkS3 } from './check-s3.ts';
import type { CredentialFields, CredentialSecrets, ProviderSettings } from './credential.ts';
import { badField } from './bad-field.ts';

export interface SplitCredential {
  readonly settings: ProviderSettings;
  readonly secrets: CredentialSecrets;
}

/** Far more than anybody types; the key derivation takes any length. */
const MAX_PASSPHRASE_BYTES = 1024;

/**
 * Parts what may be shown from what is secret.
 * @throws CloudvolError `credential/bad-field` (of another provider, malformed),
 * `credential/bad-combination`, `credential/bad-path`; never with a secret in it
 */
export function splitCredential(fields: CredentialFields): SplitCredential {
  refuseForeign(fields);
  const secrets = Object.fromEntries(
    SECRET_PARTS.filter((part) => fields[part] !== undefined).map((part) => [part, fields[part]]),
  ) as CredentialSecrets;
  checkPassphrase(fields);
  if (fields.provider !== 'directory') checkBucket(fields);
  return { settings: SETTINGS_OF[fields.provider](fields), secrets };
}

function refuseForeign(fields: CredentialFields): void {
  const { provider, ...given } = fields;
  const own = Object.keys(PROVIDER_FIELDS[provider]);
  const foreign = Object.entries(given).find(
    ([field, value]) => value !== undefined && value !== false && !own.includes(field),
  );
  if (!foreign) return;
  throw new CloudvolError(
    'credential/bad-field',
    `${flagOf(provider, foreign[0])} does not go with provider ${provider}`,
    { hint: `leave it out, or choose the --provider that it is for` },
  );
}

function checkDirectory({ path }: CredentialFields): ProviderSettings {
  if (path !== undefined && isAbsolute(path) && !path.includes('\0')) {
    return { provider: 'directory', path };
  }
  const message =
    path === undefined
      ? '--path is missing: where the directory store is to be'
      : `${JSON.stringify(path)} is not an absolute path`;
  throw new CloudvolError('credential/bad-path', message, {
    hint: 'give --path a directory such as /srv/cloudsnaps',
  });
}

function checkPassphrase({ provider, passphrase }: CredentialFields): void {
  if (passphrase === undefined) return;
  if (passphrase === '') throw badField(provider, 'passphrase', 'is empty');
  if (Buffer.byteLength(passphrase) > MAX_PASSPHRASE_BYTES) {
    throw badField(provider, 'passphrase', `has more than ${MAX_PASSPHRASE_BYTES} bytes`);
  }
}

const SETTINGS_OF: Readonly<Record<Provider, (fields: CredentialFields) => ProviderSettings>> = {
  s3: checkS3,
  azure: checkAzure,
  google: checkGoogle,
  directory: checkDirectory,
};

/** What S3, Azure and Google take between them; each refuses what is not its own. */
const BUCKET = /^[A-Za-z0-9][A-Za-z0-9._-]{1,220}[A-Za-z0-9]$/;

function checkBucket({ provider, bucket, ca }: CredentialFields): void {
  if (bucket !== undefined && !BUCKET.test(bucket)) {
    throw badField(provider, 'bucket', 'is not a possible name of a bucket', {
      hint: "use 3 to 222 letters, digits, '.', '_' and '-'",
    });
  }
  if (ca !== undefined && !ca.includes('-----BEGIN CERTIFICATE-----')) {
    throw badField(provider, 'ca', 'holds no certificate in PEM form', {
      hint: 'give the file of the certificate authority, which begins -----BEGIN CERTIFICATE-----',
    });
  }
}
