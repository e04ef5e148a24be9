import { resolve } from 'node:path';

import { CloudvolError } from '../../../base/errors.ts';
import {
  PROVIDER_FIELDS,
  PROVIDERS,
  providersOf,
  type Provider,
} from '../../../config/provider-fields.ts';
import type { Api } from '../../../control/schemas.ts';
import { defineCommand, type CommandContext, type OptionTable } from '../../command.ts';
import { hideArguments } from '../../hide-arguments.ts';
import { readPassphrase, readSecret, readSecretFile, SECRET_FORMS } from '../../read-secret.ts';

type NewCredential = Api['createCredential']['input'];
type Given = Readonly<Record<string, string | boolean | readonly string[] | undefined>>;

const OPTIONS = {
  provider: {
    kind: 'text',
    about: 'Object store provider type [s3, azure, google, directory]',
    required: true,
  },
  's3-access-key': { kind: 'text', about: `access key ${SECRET_FORMS}` },
  's3-secret-key': { kind: 'text', about: `secret key ${SECRET_FORMS}` },
  's3-region': { kind: 'text', about: 'region [us-east-1]' },
  's3-endpoint': {
    kind: 'text',
    about: "Endpoint of the S3 server, in host:port format; several by commas [Amazon's]",
  },
  's3-disable-ssl': { kind: 'flag', about: 'plain http' },
  's3-storage-class': { kind: 'text', about: 'STANDARD, STANDARD_IA' },
  's3-sse': { kind: 'text', about: "encryption by the store's own keys: AES256, aws:kms" },
  'disable-path-style': { kind: 'flag', about: 'name the bucket in the host name, not the path' },
  'azure-account-name': { kind: 'text', about: 'storage account' },
  'azure-account-key': { kind: 'text', about: `account key ${SECRET_FORMS}` },
  'azure-connection-string': {
    kind: 'text',
    about: `instead of name and key: a connection string ${SECRET_FORMS}`,
  },
  'azure-sas-token': {
    kind: 'text',
    about: `instead of the key: a shared access signature ${SECRET_FORMS}`,
  },
  'azure-endpoint': { kind: 'text', about: "URL of the account's blob service [Azure's]" },
  'google-project-id': { kind: 'text', about: "project [the key's]" },
  'google-json-key-file': {
    kind: 'text',
    about: "file with a service account's JSON key (or - for the standard input)",
  },
  'google-endpoint': { kind: 'text', about: "URL [Google's]" },
  'use-iam': {
    kind: 'flag',
    about: "no keys: the host's instance role, managed identity or default credentials",
  },
  ca: { kind: 'text', about: 'file with certificate authorities (PEM) to trust besides the known' },
  bucket: {
    kind: 'text',
    about: 'bucket (container) made beforehand [one named by the cluster id, made if not there]',
  },
  path: { kind: 'text', about: 'directory of a directory store; made if it is not there' },
  'encryption-passphrase': {
    kind: 'text',
    alias: ['enc'],
    about:
      'Passphrase to be used for encrypting data in the cloudsnaps ' +
      '(or @FILE, or - for the standard input; asked for on a terminal)',
  },
  'encryption-passphrase-file': { kind: 'text', about: 'file with the passphrase' },
  'encryption-passphrase-fd': { kind: 'text', about: 'open descriptor with the passphrase' },
} as const satisfies OptionTable;

/** Their values are secrets, so that they can also come from elsewhere. */
const SECRET_FLAGS = [
  's3-access-key',
  's3-secret-key',
  'azure-account-key',
  'azure-connection-string',
  'azure-sas-token',
];
const FILE_FLAGS = ['ca', 'google-json-key-file'];

export const command = defineCommand({
  examples: [
    'cloudvol credentials create --provider s3 --s3-access-key KEY --s3-secret-key @FILE my-s3',
    'cloudvol credentials create --provider azure --azure-connection-string @FILE my-azure',
    'cloudvol credentials create --provider google --google-json-key-file FILE --enc - my-google',
    'cloudvol credentials create --provider directory --path /srv/cloudsnaps my-disk',
  ],
  arguments: [{ name: 'name', about: 'name of the new credential', required: true }],
  options: OPTIONS,
  async run(context, options, [name]) {
    const { client, output, json, signal } = context;
    if ([...SECRET_FLAGS, 'encryption-passphrase'].some((flag) => flag in given(options))) {
      hideArguments('credentials create');
    }
    const provider = parseProvider(options.provider);
    refuseForeign(provider, options);
    const fields = await readFields(provider, options, context);
    const passphrase = await readPassphrase(
      {
        flag: 'encryption-passphrase',
        value: options['encryption-passphrase'],
        file: options['encryption-passphrase-file'],
        fd: options['encryption-passphrase-fd'],
        isNew: true,
      },
      context,
    );
    const input = { ...fields, ...(passphrase !== undefined && { passphrase }), name, provider };
    const credential = await client.call('createCredential', input as NewCredential, { signal });
    if (json) output.json(credential);
    else output.line(`Credentials created successfully, UUID:${credential.id}`);
  },
});

function parseProvider(text: string): Provider {
  const found = PROVIDERS.find((known) => known === text);
  if (found) return found;
  throw new CloudvolError('usage/bad-provider', `there is no provider ${JSON.stringify(text)}`, {
    hint: `use one of ${PROVIDERS.join(', ')}`,
  });
}

/** The agent would refuse it as well; here nobody is asked for a passphrase before. */
function refuseForeign(provider: Provider, options: Given): void {
  for (const flag of Object.keys(given(options))) {
    const providers = providersOf(flag);
    if (providers.length === 0 || providers.includes(provider)) continue;
    throw new CloudvolError(
      'usage/bad-option',
      `--${flag} goes with --provider ${providers.join(' or ')}, not with ${provider}`,
      { hint: 'leave it out, or choose the other provider' },
    );
  }
}

/** The options of one provider under their names in the API; the passphrase is not among them. */
async function readFields(
  provider: Provider,
  options: Given,
  context: CommandContext,
): Promise<Record<string, unknown>> {
  const fields: Record<string, unknown> = {};
  for (const [field, flag] of Object.entries<string>(PROVIDER_FIELDS[provider])) {
    const value = given(options)[flag];
    if (value === undefined || field === 'passphrase') continue;
    fields[field] = typeof value === 'string' ? await readText(flag, value, context) : value;
  }
  return fields;
}

async function readText(
  flag: string,
  value: string,
  context: CommandContext,
): Promise<string | string[]> {
  if (SECRET_FLAGS.includes(flag)) return readSecret(flag, value, context);
  if (FILE_FLAGS.includes(flag)) {
    return value === '-'
      ? readSecret(flag, value, context)
      : readSecretFile(value.replace(/^@/, ''));
  }
  if (flag === 's3-endpoint') return value.split(',').map((endpoint) => endpoint.trim());
  return flag === 'path' ? resolve(value) : value;
}

/** What was said: text, and flags that are on. */
function given(options: Given): Readonly<Record<string, string | true>> {
  const said = Object.entries(options).filter(
    ([, value]) => typeof value === 'string' || value === true,
  );
  return Object.fromEntries(said) as Record<string, string | true>;
}
