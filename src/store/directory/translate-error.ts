import { CloudvolError, errnoOf, messageOf } from '../../base/errors.ts';
import type { StoreErrorCode } from '../object-store.ts';
import { storeError } from '../store-error.ts';

interface Meaning {
  readonly code: StoreErrorCode;
  readonly what: string;
  readonly hint?: string;
}

const FULL: Meaning = {
  code: 'store/full',
  what: 'there is no space left',
  hint: 'free some space or raise the quota, then try again',
};
const DENIED: Meaning = {
  code: 'store/denied',
  what: 'access is denied',
  hint: 'check the owner and mode of the folder, and whether its file system is mounted read-only',
};
const BUSY: Meaning = { code: 'store/unavailable', what: 'the host or the file system is busy' };
const REMOTE: Meaning = { code: 'store/unavailable', what: 'the file system does not answer' };

/**
 * errno(3) and what it means for a store. What is not here is `store/failed`: trying again does not
 * help.
 */
const MEANINGS: Readonly<Record<string, Meaning>> = {
  ENOSPC: FULL,
  EDQUOT: FULL,
  EACCES: DENIED,
  EPERM: DENIED,
  EROFS: DENIED,
  EMFILE: { ...BUSY, what: 'too many files are open', hint: 'raise the limit of open files' },
  ENFILE: { ...BUSY, what: 'too many files are open on this host' },
  EAGAIN: BUSY,
  EBUSY: BUSY,
  EINTR: BUSY,
  ENOMEM: BUSY,
  ESTALE: REMOTE,
  ETIMEDOUT: REMOTE,
  EHOSTDOWN: REMOTE,
  EHOSTUNREACH: REMOTE,
};

/**
 * @param action what was tried, on what: `put a/b in /srv/store`. Errors that are not the system's
 * pass unchanged.
 */
export function translateError(error: unknown, action: string): unknown {
  // Cleaning up failed as well: what failed first is what the caller can act on.
  if (error instanceof SuppressedError) return translateError(error.suppressed, action);
  const errno = errnoOf(error);
  if (error instanceof CloudvolError || errno === undefined) return error;
  const { code, what, hint } = MEANINGS[errno] ?? { code: 'store/failed', what: messageOf(error) };
  return storeError(code, `cannot ${action}: ${what}`, {
    cause: error,
    details: { errno },
    ...(hint === undefined ? {} : { hint }),
  });
}
