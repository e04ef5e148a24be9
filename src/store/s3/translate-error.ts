/**
 * What the SDK, the store and the network say, in the words of the store's contract. The SDK's
 * error is never kept as a cause: the request hangs on it, with its signature.
 */
import { CloudvolError, errnoOf } from '../../base/errors.ts';
import { translateNetworkError } from '../network-error.ts';
import { restDetails } from '../retry-after.ts';
import { alreadyExists, notFound, storeError } from '../store-error.ts';
import {
  clockSkew,
  FOREIGN,
  ForeignAnswer,
  meaningError,
  type StoreMeaning,
} from '../store-meaning.ts';

export interface FailedRequest {
  /** `put a/b`. */
  readonly action: string;
  readonly key?: string | undefined;
  readonly bucket: string;
  readonly endpoint: string;
  readonly location: string;
  readonly nowMs: number;
}

const KEYS_HINT = 'check the access key and secret key of the credential';
const DENIED: StoreMeaning = {
  code: 'store/denied',
  what: 'access is denied',
  hint: 'check the policy of the bucket and of the access key: s3:* on the bucket and its objects',
};
const BUSY: StoreMeaning = {
  code: 'store/unavailable',
  what: 'the store is busy or out of order',
  hint: 'try again later, or see the load of the store',
};
const FULL: StoreMeaning = {
  code: 'store/full',
  what: 'there is no space or quota left',
  hint: 'free some space or raise the quota, then try again',
};
const UNSUPPORTED: StoreMeaning = { code: 'store/unsupported', what: 'the store cannot do this' };
const WRONG_KEY: StoreMeaning = {
  code: 'store/denied',
  what: 'the store does not know the access key',
  hint: KEYS_HINT,
};
const WRONG_SECRET: StoreMeaning = {
  code: 'store/denied',
  what: 'the secret key does not belong to the access key',
  hint: KEYS_HINT,
};
const NO_BUCKET: StoreMeaning = {
  code: 'store/not-found',
  what: 'there is no such bucket',
  hint: 'make the bucket beforehand, or name another with --bucket',
};

/** `Code` of S3's error answers. */
const BY_CODE: Readonly<Record<string, StoreMeaning>> = {
  NoSuchBucket: NO_BUCKET,
  InvalidAccessKeyId: WRONG_KEY,
  InvalidSecurity: WRONG_KEY,
  SignatureDoesNotMatch: WRONG_SECRET,
  AccessDenied: DENIED,
  AllAccessDisabled: DENIED,
  Forbidden: DENIED,
  ExpiredToken: { code: 'store/denied', what: 'the session token has expired', hint: KEYS_HINT },
  SlowDown: BUSY,
  ServiceUnavailable: BUSY,
  InternalError: BUSY,
  RequestTimeout: BUSY,
  ConditionalRequestConflict: BUSY,
  OperationAborted: BUSY,
  BadDigest: { code: 'store/unavailable', what: 'the body was garbled on its way' },
  IncompleteBody: { code: 'store/unavailable', what: 'the body was cut off on its way' },
  QuotaExceeded: FULL,
  XMinioStorageFull: FULL,
  EntityTooLarge: { code: 'store/unsupported', what: 'the store takes no object so large' },
  InvalidBucketName: {
    code: 'store/failed',
    what: 'the store takes no bucket of this name',
    hint: 'name another with --bucket: 3 to 63 lower-case letters, digits and hyphens',
  },
  InvalidObjectState: {
    code: 'store/failed',
    what: 'the object lies in an archive of the store',
    hint: 'thaw it at the store first, and let cloudsnaps stay in a storage class read at once',
  },
  NotImplemented: UNSUPPORTED,
  MethodNotAllowed: UNSUPPORTED,
  InvalidStorageClass: {
    code: 'store/unsupported',
    what: 'the store has no such storage class',
    hint: 'choose another with --s3-storage-class',
  },
  InvalidLocationConstraint: {
    code: 'store/unsupported',
    what: 'the store has no such region',
    hint: 'make the bucket beforehand, or give the region of the store with --s3-region',
  },
};

const BY_STATUS: Readonly<Record<number, StoreMeaning>> = {
  401: DENIED,
  403: DENIED,
  408: BUSY,
  409: BUSY,
  429: BUSY,
  501: UNSUPPORTED,
  507: FULL,
};

const WRONG_REGION = [
  'PermanentRedirect',
  'TemporaryRedirect',
  'AuthorizationHeaderMalformed',
  'IllegalLocationConstraint',
];
/** With the header that names a region. */
const MOVED: readonly number[] = [301, 307, 400];

/** What the SDK hangs on its errors. */
interface SdkError extends Error {
  readonly $metadata?: { readonly httpStatusCode?: number };
  readonly $response?: { readonly headers?: Readonly<Record<string, string>> };
  readonly Code?: string;
  readonly Region?: string;
}

/** Mistakes in the program pass unchanged. */
export function translateError(error: unknown, request: FailedRequest): unknown {
  if (error instanceof CloudvolError || !(error instanceof Error)) return error;
  const into = request.action.endsWith('bucket') ? '' : ' in bucket';
  const action = `${request.action}${into} ${request.bucket} at ${request.endpoint}`;
  // The SDK fails on a success when it cannot read it.
  const status = statusOf(error);
  if (error instanceof ForeignAnswer || (status !== undefined && status < 300)) {
    return meaningError(FOREIGN, action, {});
  }
  if (status !== undefined) return translateAnswer(error, request, action);
  const timedOut = error.name === 'TimeoutError' && errnoOf(error) === undefined;
  if (timedOut) {
    return storeError('store/unavailable', `cannot ${action}: it does not answer`, {
      hint: 'check the network to the store and its load',
    });
  }
  if (/Region is missing/.test(error.message)) {
    return storeError('store/failed', `cannot ${action}: the region is not known`, {
      hint: 'give it with --s3-region',
    });
  }
  if (/Credential|TokenProvider/.test(error.name)) {
    return storeError('store/denied', `cannot ${action}: this host has no credentials for it`, {
      hint: 'give an access key and a secret key, or give the host a role',
    });
  }
  return translateNetworkError(error, { action, endpoint: request.endpoint }) ?? error;
}

function translateAnswer(error: SdkError, request: FailedRequest, action: string): CloudvolError {
  const status = statusOf(error) ?? 0;
  const code = codeOf(error);
  const { key, location } = request;
  if (key !== undefined) {
    if (['NoSuchKey', 'NotFound'].includes(code) && status === 404) return notFound(key, location);
    if (status === 412) return alreadyExists(key, location);
  }
  const meaning = skewed(error, request) ?? elsewhere(error) ?? BY_CODE[code] ?? byStatus(status);
  const rest = restDetails(headerOf(error, 'retry-after'), request.nowMs);
  return meaningError(meaning, action, { status, reason: code, ...rest });
}

function byStatus(status: number): StoreMeaning {
  if (BY_STATUS[status]) return BY_STATUS[status];
  if (status >= 500) return { ...BUSY, what: `the store answers with status ${status}` };
  return {
    code: 'store/failed',
    what: `it answers with status ${status} and not in S3's words`,
    hint: 'check host and port of the endpoint',
  };
}

/** The SDK would sign with the store's time instead. */
function skewed(error: SdkError, { nowMs }: FailedRequest): StoreMeaning | undefined {
  if (!['RequestTimeTooSkewed', 'RequestExpired'].includes(codeOf(error))) return undefined;
  return clockSkew(nowMs, Date.parse(headerOf(error, 'date') ?? ''));
}

/**
 * The bucket is in another region, which the answer usually names: 301 and 307 with an endpoint,
 * 400 for the region in the signature, and a HEAD's with a header only.
 */
function elsewhere(error: SdkError): StoreMeaning | undefined {
  const region = headerOf(error, 'x-amz-bucket-region') ?? error.Region;
  const status = statusOf(error) ?? 0;
  const wrongRegion = WRONG_REGION.some((code) => codeOf(error).startsWith(code));
  if (!wrongRegion && !(region !== undefined && MOVED.includes(status))) return redirected(error);
  return {
    code: 'store/failed',
    what: region ? `the bucket is in region ${region}` : 'the bucket is in another region',
    hint: `give ${region ? `--s3-region ${region}` : 'its region with --s3-region'}`,
  };
}

/** By what stands before a store, as where https is wanted. Of the address only host and port. */
function redirected(error: SdkError): StoreMeaning | undefined {
  const status = statusOf(error) ?? 0;
  if (status < 300 || status > 399) return undefined;
  const place = URL.parse(headerOf(error, 'location') ?? '')?.origin;
  return {
    code: 'store/failed',
    what: `it sends to ${place ?? 'another address'} instead of an answer`,
    hint: 'give the endpoint that answers itself, and leave --s3-disable-ssl out if it wants https',
  };
}

function headerOf(error: SdkError, name: string): string | undefined {
  return error.$response?.headers?.[name];
}

export function statusOf(error: unknown): number | undefined {
  return (error as SdkError).$metadata?.httpStatusCode;
}

/** `Code` of the answer; what the SDK makes of it where there is no body. */
export function codeOf(error: unknown): string {
  return (error as SdkError).Code ?? (error as SdkError).name;
}
