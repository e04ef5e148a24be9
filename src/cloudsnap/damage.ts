import { CloudvolError, hasCode, messageOf } from '../base/errors.ts';

/** What is wrong with a cloudsnap, and where. */
export interface Damage {
  readonly cloudsnapId: string;
  /** Key of the object. */
  readonly object: string;
  readonly block?: number;
}

/**
 * Codes that mean: the stored bytes are not those that were written. Everything else may be a
 * passing trouble.
 */
const SIGNS = ['format/corrupt', 'store/not-found', 'store/range'] as const;

/** `cloudsnap/corrupt`: right bytes cannot be had from this cloudsnap. */
export function damaged(where: Damage, finding: string, cause?: unknown): CloudvolError {
  const at = where.block === undefined ? '' : `, block ${where.block}`;
  return new CloudvolError(
    'cloudsnap/corrupt',
    `${where.cloudsnapId} is damaged in ${where.object}${at}: ${finding}`,
    {
      hint: 'back the volume up: the next cloudsnap repairs what it still has; or restore another',
      details: { ...where },
      ...(cause === undefined ? {} : { cause }),
    },
  );
}

/** Gives a sign of damage its place; returns every other error as it is. */
export function locateDamage(error: unknown, where: Damage): unknown {
  return SIGNS.some((code) => hasCode(error, code))
    ? damaged(where, messageOf(error), error)
    : error;
}

/**
 * Reads an object (or a part) and decodes it. Bytes that do not decode are read a second time,
 * since they may have been garbled on their way here; what is wrong twice is wrong in the store.
 * @throws CloudvolError `cloudsnap/corrupt`, or what `read` throws for other reasons.
 */
export async function readIntact<T>(
  where: Damage,
  read: () => Promise<Uint8Array>,
  decode: (bytes: Uint8Array) => T | Promise<T>,
): Promise<T> {
  try {
    return await decode(await read());
  } catch (error) {
    if (!hasCode(error, 'format/corrupt') && !hasCode(error, 'cloudsnap/corrupt')) {
      throw locateDamage(error, where);
    }
  }
  try {
    return await decode(await read());
  } catch (error) {
    throw locateDamage(error, where);
  }
}
