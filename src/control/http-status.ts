import type { ErrorCode } from '../base/errors.ts';

const BY_CODE: Readonly<Record<string, number>> = {
  'credential/none': 400,
  'credential/ambiguous': 400,
  'request/too-large': 413,
  'request/unsupported-type': 415,
  'secrets/locked': 403,
  'secrets/wrong-passphrase': 403,
  'cloudsnap/encrypted': 403,
  'cloudsnap/wrong-passphrase': 403,
  'cloudsnap/not-encrypted': 409,
  'task/queue-full': 429,
  'agent/stopping': 503,
  'store/unavailable': 503,
  'store/unsupported': 501,
  'store/full': 507,
};

/** The reason says what kind of error it is, whatever the area. */
const BY_REASON: readonly (readonly [pattern: RegExp, status: number])[] = [
  [/^not-found$|^no-such-/, 404],
  [/^(exists|in-use|busy|restoring|ended|has-dependants|already-|not-attached|not-mounted)/, 409],
  [/^(bad-|invalid|not-empty)/, 400],
  [/^(denied|not-root|no-permission)$/, 403],
  [/^(no-space|full)$/, 507],
];

/**
 * HTTP status of an error; 500 for what has no better one. Programs should look at the code, not at
 * this.
 */
export function httpStatusOf(code: ErrorCode): number {
  const exact = BY_CODE[code];
  if (exact !== undefined) return exact;
  const reason = code.slice(code.indexOf('/') + 1);
  return BY_REASON.find(([pattern]) => pattern.test(reason))?.[1] ?? 500;
}
