/**
 * What Google, the authentication and the network say, in the words of the store's contract. No
 * message of others is passed on: a token may be in it.
 */
import { systemClock } from '../../base/clock.ts';
import { CloudvolError } from '../../base/errors.ts';
import { translateNetworkError } from '../network-error.ts';
import { restDetails } from '../retry-after.ts';
import { alreadyExists, notFound, storeError } from '../store-error.ts';
import { FOREIGN, ForeignAnswer, meaningError, type StoreMeaning } from '../store-meaning.ts';

export interface FailedRequest {
  /** `put a/b`. */
  readonly action: string;
  readonly key?: string | undefined;
  readonly bucket: string;
  readonly endpoint: string;
  readonly location: string;
}

/** An answer that is no success. */
export class GoogleAnswer extends Error {
  readonly status: number;
  /** `error.errors[0].reason` of Google's JSON, or empty. */
  readonly reason: string;
  readonly missesBucket: boolean;
  /** The header. */
  readonly retryAfter: string | undefined;

  constructor(status: number, body: unknown, retryAfter?: string) {
    super(`status ${status}`);
    this.retryAfter = retryAfter;
    const { error } = (body ?? {}) as { error?: Partial<Record<string, unknown>> };
    const [first] = (error?.['errors'] ?? []) as readonly { readonly reason?: unknown }[];
    this.status = status;
    this.reason = typeof first?.reason === 'string' ? first.reason : '';
    this.missesBucket = status === 404 && /bucket does not exist/i.test(String(error?.['message']));
  }
}

const DENIED: StoreMeaning = {
  code: 'store/denied',
  what: 'access is denied',
  hint: 'give the account the role Storage Object Admin on the bucket',
};
const BUSY: StoreMeaning = {
  code: 'store/unavailable',
  what: 'the store is busy or out of order',
  hint: 'try again later',
};
const BY_REASON: Readonly<Record<string, StoreMeaning>> = {
  rateLimitExceeded: BUSY,
  userRateLimitExceeded: BUSY,
  quotaExceeded: {
    code: 'store/full',
    what: 'there is no quota left',
    hint: 'free some space or raise the quota, then try again',
  },
};
const BY_STATUS: Readonly<Record<number, StoreMeaning>> = {
  401: {
    code: 'store/denied',
    what: 'it refuses the credentials',
    hint: 'check the JSON key of the service account, and the clock of this host',
  },
  403: DENIED,
  404: {
    code: 'store/not-found',
    what: 'there is no such bucket',
    hint: 'make the bucket beforehand, or name another with --bucket',
  },
  408: BUSY,
  409: {
    code: 'store/denied',
    what: 'the bucket belongs to somebody else',
    hint: 'name another with --bucket: names are unique all over Google',
  },
  429: BUSY,
};

/** Mistakes in the program pass unchanged. */
export function translateError(error: unknown, request: FailedRequest): unknown {
  if (error instanceof CloudvolError || !(error instanceof Error)) return error;
  const { key, location, bucket, endpoint } = request;
  const into = request.action.endsWith('bucket') ? '' : ' in bucket';
  const action = `${request.action}${into} ${bucket} at ${endpoint}`;
  if (error instanceof GoogleAnswer) {
    if (key !== undefined && error.status === 404 && !error.missesBucket) {
      return notFound(key, location);
    }
    if (key !== undefined && error.status === 412) return alreadyExists(key, location);
    const meaning = BY_REASON[error.reason] ?? byStatus(error.status);
    const { status, reason, retryAfter } = error;
    const rest = restDetails(retryAfter, systemClock.nowMs());
    return meaningError(meaning, action, { status, reason, ...rest });
  }
  if (error instanceof ForeignAnswer) return meaningError(FOREIGN, action, {});
  const network = translateNetworkError(error, { action, endpoint });
  if (network) return network;
  if (/default credentials|project Id/i.test(error.message)) {
    return storeError('store/denied', `cannot ${action}: this host has no credentials for it`, {
      hint: 'give the JSON key of a service account and the project’s id',
    });
  }
  if ('code' in error && /^ERR_OSSL|^ERR_CRYPTO/.test(String(error.code))) {
    return storeError('store/failed', `cannot ${action}: the private key is not one`, {
      hint: 'give the JSON file of a service account’s key as Google made it',
    });
  }
  return error;
}

function byStatus(status: number): StoreMeaning {
  if (BY_STATUS[status]) return BY_STATUS[status];
  if (status >= 500) return { ...BUSY, what: `the store answers with status ${status}` };
  return {
    code: 'store/failed',
    what: `it answers with status ${status}`,
    hint: 'check the endpoint and the name of the bucket',
  };
}
