import { systemClock, type Clock } from '../base/clock.ts';
import { hasCode } from '../base/errors.ts';
import { silentLog, type Log } from '../base/log.ts';
import { retry, type RetryPolicy } from '../base/retry.ts';
import { DirectoryStore } from './directory.ts';
import { DeadlineStore } from './layers/deadline.ts';
import { LimitStore, type LimitOptions } from './layers/limit.ts';
import { MetricsStore, type StoreMetrics } from './layers/metrics.ts';
import { RetryStore } from './layers/retry.ts';
import type { ObjectStore } from './object-store.ts';
import { restMs } from './retry-after.ts';
import { storeError } from './store-error.ts';
import type { StoreTarget } from './store-target.ts';

export interface OpenStoreOptions {
  readonly clock?: Clock;
  readonly log?: Log;
  /** Default: MAX_REQUESTS. */
  readonly maxRequests?: number;
  /** Average rates of bodies on the network. Default: as fast as it goes. */
  readonly bytesPerSecond?: LimitOptions['bytesPerSecond'];
}

export interface OpenedStore extends ObjectStore {
  metrics(): StoreMetrics;
}

/**
 * Enough to fill a line with 20 ms of latency by 1 MiB reads; at 32 MiB each, puts stay within 512
 * MiB.
 */
export const MAX_REQUESTS = 16;

/** Somebody may be waiting for the first answer of all: a store that is busy gets a few seconds. */
const OPEN_POLICY: RetryPolicy = { maxAttempts: 4, baseDelayMs: 200, maxDelayMs: 2000 };

/**
 * Opens a backend and puts the layers on it, from the outside in:
 *
 * - retry: outermost, so that who waits for the next attempt holds no slot and every attempt is
 *   paced and counted;
 * - limit: outside the deadline, so that waiting for a slot or for the line is not mistaken for a
 *   store that hangs;
 * - deadline: cuts one attempt, gives its slot back and lets retry go on;
 * - metrics: next to the backend, where every attempt passes once: this is what a provider sees and
 *   charges for.
 *
 * @throws CloudvolError what the backend's open throws, e.g. `store/not-found`
 */
export async function openStore(
  target: StoreTarget,
  options: OpenStoreOptions = {},
): Promise<OpenedStore> {
  const {
    clock = systemClock,
    log = silentLog,
    bytesPerSecond,
    maxRequests = MAX_REQUESTS,
  } = options;
  const backend = await retry(() => openBackend(target, clock), {
    policy: OPEN_POLICY,
    clock,
    isRetriable: isBusy,
    atLeastMs: restMs,
  });
  const metrics = new MetricsStore(backend);
  const deadline = new DeadlineStore(metrics, { clock });
  const limit = new LimitStore(deadline, {
    clock,
    maxRequests,
    ...(bytesPerSecond ? { bytesPerSecond } : {}),
  });
  const store = new RetryStore(limit, {
    clock,
    onRetry: ({ action, attempt, delayMs, error }) =>
      log.warn('store.request-retried', {
        location: limit.location,
        action,
        attempt,
        delayMs,
        error,
      }),
  });
  return Object.assign(store, { metrics: () => metrics.snapshot() });
}

/** It answered; where nobody does, it is for the caller to wait. */
function isBusy(error: unknown): boolean {
  return hasCode(error, 'store/unavailable') && error.details?.['status'] !== undefined;
}

async function openBackend(target: StoreTarget, clock: Clock): Promise<ObjectStore> {
  switch (target.provider) {
    case 'directory':
      return DirectoryStore.open({ ...target, clock });
    case 's3':
      return (await import('./s3.ts')).S3Store.open(target, { clock });
    case 'azure':
      return (await import('./azure.ts')).AzureStore.open(target, { clock });
    case 'google':
      return (await import('./google.ts')).GoogleStore.open(target);
    default:
      // A credential that a newer version stored.
      throw unknownProvider(target);
  }
}

function unknownProvider(target: StoreTarget) {
  return storeError('store/unsupported', `this version knows no provider ${target.provider}`, {
    hint: 'use directory, or a newer version',
  });
}
