/** Kinds of stores that a credential can point at. */
export const PROVIDERS = ['s3', 'azure', 'google', 'directory'] as const;
export type Provider = (typeof PROVIDERS)[number];

const SHARED_BY_BUCKETS = { bucket: 'bucket', ca: 'ca', useIam: 'use-iam' } as const;
const SHARED_BY_ALL = { passphrase: 'encryption-passphrase' } as const;

/**
 * What a credential of each provider is made of: the names of the API, and the flag of the command
 * line that says the same. Both sides word their errors by it.
 */
export const PROVIDER_FIELDS = {
  s3: {
    accessKey: 's3-access-key',
    secretKey: 's3-secret-key',
    region: 's3-region',
    endpoints: 's3-endpoint',
    disableSsl: 's3-disable-ssl',
    storageClass: 's3-storage-class',
    sse: 's3-sse',
    virtualHost: 'disable-path-style',
    ...SHARED_BY_BUCKETS,
    ...SHARED_BY_ALL,
  },
  azure: {
    accountName: 'azure-account-name',
    accountKey: 'azure-account-key',
    connectionString: 'azure-connection-string',
    sasToken: 'azure-sas-token',
    endpoint: 'azure-endpoint',
    ...SHARED_BY_BUCKETS,
    ...SHARED_BY_ALL,
  },
  google: {
    projectId: 'google-project-id',
    jsonKey: 'google-json-key-file',
    endpoint: 'google-endpoint',
    ...SHARED_BY_BUCKETS,
    ...SHARED_BY_ALL,
  },
  directory: { path: 'path', ...SHARED_BY_ALL },
} as const satisfies Record<Provider, Readonly<Record<string, string>>>;

/** Parts of a credential that are kept in the secret store and shown to nobody. */
export const SECRET_PARTS = [
  'secretKey',
  'accountKey',
  'connectionString',
  'sasToken',
  'jsonKey',
  'passphrase',
] as const;
export type SecretPart = (typeof SECRET_PARTS)[number];

/** `--flag` of a provider's field; of whichever provider has it when this one does not. */
export function flagOf(provider: Provider, field: string): string {
  const own: Readonly<Record<string, string>> = PROVIDER_FIELDS[provider];
  const all: readonly Readonly<Record<string, string>>[] = Object.values(PROVIDER_FIELDS);
  return `--${own[field] ?? all.find((fields) => fields[field])?.[field] ?? field}`;
}

/** Providers that have a flag, by its name without dashes. */
export function providersOf(flag: string): Provider[] {
  return PROVIDERS.filter((provider) =>
    Object.values<string>(PROVIDER_FIELDS[provider]).includes(flag),
  );
}
