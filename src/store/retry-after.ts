import { CloudvolError } from '../base/errors.ts';

/** However long a store wants to be left alone: callers are told of its trouble sooner. */
const LONGEST_REST_MS = 60_000;

/** How an error says what a busy store asked for: details of every `store/unavailable`. */
export interface RestDetails {
  readonly retryAfterMs?: number;
}

/**
 * How long a store that is busy wants to be left alone, from its Retry-After header (RFC 9110
 * 10.2.3): seconds or a date. Nothing where it does not say.
 */
export function restDetails(header: string | undefined, nowMs: number): RestDetails {
  const text = header?.trim() ?? '';
  const ms = /^\d{1,9}$/.test(text) ? Number(text) * 1000 : Date.parse(text) - nowMs;
  return Number.isNaN(ms) ? {} : { retryAfterMs: Math.max(0, ms) };
}

/** What the sender of an error asked for, within reason; 0 when nothing. */
export function restMs(error: unknown): number {
  const asked = error instanceof CloudvolError ? error.details?.['retryAfterMs'] : undefined;
  return typeof asked === 'number' ? Math.min(asked, LONGEST_REST_MS) : 0;
}
