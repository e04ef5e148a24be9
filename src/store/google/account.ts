import { Storage } from '@google-cloud/storage';
import { storeError } from '../store-error.ts';
import type { GoogleTarget } from '../store-target.ts';

const GOOGLE = 'https://storage.googleapis.com';
/** Google's rule, without the dots of domain names, which need a proof of ownership. */
const BUCKET_NAME = /^[a-z0-9][a-z0-9_-]{1,61}[a-z0-9]$/;

/** Where Google's service is, and as whom to come. */
export interface GoogleAccount {
  /** URL without a slash at the end. */
  readonly endpoint: string;
  readonly projectId: () => Promise<string>;
  /** Headers that authorize a request to `url`; none where nobody is to be named. */
  readonly headers: (url: string) => Promise<Record<string, string>>;
}

interface JsonKey {
  readonly client_email: string;
  readonly private_key: string;
  readonly project_id?: string;
}

/** @throws CloudvolError `store/failed` when Google has no bucket of such a name. */
export function checkBucketName(name: string): void {
  if (BUCKET_NAME.test(name)) return;
  throw storeError('store/failed', `Google takes no bucket named ${JSON.stringify(name)}`, {
    hint: 'use 3 to 63 lower-case letters, digits, dashes and underscores; nobody else may have it',
  });
}

/**
 * Reads the account out of a target; asks nobody. A service account's key signs the requests
 * itself, so that no other host is asked for a token. Default credentials go to Google's own hosts
 * only: to another endpoint nobody is named without a key.
 * @throws CloudvolError `store/failed` when something is wrong.
 */
export function readAccount(target: GoogleTarget): GoogleAccount {
  const endpoint = cleanEndpoint(target.endpoint ?? GOOGLE);
  const key = target.jsonKey === undefined ? undefined : parseKey(target.jsonKey);
  const { authClient } = new Storage({
    apiEndpoint: endpoint,
    useAuthWithCustomEndpoint: true,
    retryOptions: { autoRetry: false, maxRetries: 0 },
  });
  // The option for it prints a warning of keys of any type: this is a service account's.
  if (key) authClient.jsonContent = pick(key);
  const named = key !== undefined || new URL(endpoint).hostname.endsWith('.googleapis.com');
  return {
    endpoint,
    projectId: async () => target.projectId ?? key?.project_id ?? (await authClient.getProjectId()),
    async headers(url) {
      if (!named) return {};
      const client = await authClient.getClient();
      if (key && 'useJWTAccessWithScope' in client) client.useJWTAccessWithScope = true;
      return Object.fromEntries(await client.getRequestHeaders(url));
    },
  };
}

function pick({ client_email, private_key }: JsonKey) {
  return { client_email, private_key };
}

function parseKey(text: string): JsonKey {
  let key: unknown;
  try {
    key = JSON.parse(text);
  } catch {
    // What the parser says may show a part of the key.
    throw notKey('is no JSON');
  }
  if (isKey(key)) return key;
  throw notKey('lacks client_email or private_key');
}

function isKey(value: unknown): value is JsonKey {
  if (typeof value !== 'object' || value === null) return false;
  const { client_email: email, private_key: key } = value as Partial<Record<string, unknown>>;
  return typeof email === 'string' && typeof key === 'string' && key.includes('PRIVATE KEY');
}

function notKey(what: string) {
  return storeError('store/failed', `the key of the Google service account ${what}`, {
    hint: 'give the JSON file of a service account’s key as Google made it',
  });
}

function cleanEndpoint(text: string): string {
  const url = URL.parse(text);
  if (url && /^https?:$/.test(url.protocol) && !url.search && !url.username) {
    return url.href.replace(/\/+$/, '');
  }
  throw storeError('store/failed', 'the endpoint of Google’s service is no plain URL', {
    hint: 'give https://HOST or http://HOST:PORT',
  });
}
