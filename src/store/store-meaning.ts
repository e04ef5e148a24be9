import type { CloudvolError } from '../base/errors.ts';
import type { StoreErrorCode } from './object-store.ts';
import { storeError } from './store-error.ts';

/** What an answer of a provider means to the user: backends have tables of these. */
export interface StoreMeaning {
  readonly code: StoreErrorCode;
  /** Ends the sentence `cannot put a/b in …: …`. */
  readonly what: string;
  readonly hint?: string;
}

/** Thrown for an answer that is a success and not in the store's words: somebody else gave it. */
export class ForeignAnswer extends Error {}

/** A login page of a proxy must not look like an empty listing, or like something stored. */
export const FOREIGN: StoreMeaning = {
  code: 'store/unavailable',
  what: 'the answer is cut off, or not in the words of such a store',
  hint: 'check the endpoint, and what stands between it and this host',
};

/** @param action what could not be done, and where: `put a/b in bucket x at https://…` */
export function meaningError(
  { code, what, hint }: StoreMeaning,
  action: string,
  details: Readonly<Record<string, string | number>>,
): CloudvolError {
  return storeError(code, `cannot ${action}: ${what}`, {
    details,
    ...(hint === undefined ? {} : { hint }),
  });
}

/**
 * Requests are signed with the time; it is said, not corrected, since the times in manifests would
 * be wrong all the same.
 * @param theirsMs the store's time, or NaN where its answer does not tell.
 */
export function clockSkew(nowMs: number, theirsMs: number): StoreMeaning {
  const minutes = Math.round(Math.abs(nowMs - theirsMs) / 60_000);
  const by = Number.isNaN(minutes)
    ? 'differs from the store’s'
    : `is ${minutes} minutes ${nowMs < theirsMs ? 'behind' : 'ahead of'} the store’s`;
  return {
    code: 'store/denied',
    what: `the clock of this host ${by}`,
    hint: 'set the clock of this host (timedatectl set-ntp true)',
  };
}
