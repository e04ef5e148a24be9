import type { Clock } from './clock.ts';

export interface RetryPolicy {
  /** All attempts, the first included; Infinity tries until the signal says stop. */
  readonly maxAttempts: number;
  /** Upper bound of the wait before the second attempt; it doubles with every further one. */
  readonly baseDelayMs: number;
  /** No upper bound grows beyond this. */
  readonly maxDelayMs: number;
}

export interface RetryEvent {
  /** The attempt that failed, from 1. */
  readonly attempt: number;
  readonly error: unknown;
  /** How long the next attempt will wait. */
  readonly delayMs: number;
}

export interface RetryOptions {
  readonly policy: RetryPolicy;
  readonly clock: Clock;
  /** Whether trying again may help. */
  readonly isRetriable: (error: unknown) => boolean;
  /**
   * The shortest wait after an error whose sender said how long it wants to be left alone; it may
   * be longer than any of the policy.
   */
  readonly atLeastMs?: (error: unknown) => number;
  readonly signal?: AbortSignal | undefined;
  /** Told before each wait. */
  readonly onRetry?: (event: RetryEvent) => void;
  /** Uniform in [0, 1); a test's own makes the waits repeatable. */
  readonly random?: () => number;
}

/**
 * Runs `work` until it succeeds. Waits between attempts grow exponentially with full jitter:
 * uniform from 0 to the bound, so that clients which failed together do not come back together
 * (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).
 * @param work is given the number of the attempt, from 1.
 * @throws the last attempt's error when it is not retriable or attempts are used up; the signal's
 * reason when aborted.
 */
export async function retry<T>(
  work: (attempt: number) => Promise<T>,
  options: RetryOptions,
): Promise<T> {
  const { policy, clock, signal, random = Math.random } = options;
  for (let attempt = 1; ; attempt++) {
    signal?.throwIfAborted();
    try {
      return await work(attempt);
    } catch (error) {
      signal?.throwIfAborted();
      if (attempt >= policy.maxAttempts || !options.isRetriable(error)) throw error;
      const bound = Math.min(policy.maxDelayMs, policy.baseDelayMs * 2 ** (attempt - 1));
      const delayMs = random() * bound + (options.atLeastMs?.(error) ?? 0);
      options.onRetry?.({ attempt, error, delayMs });
      await clock.sleep(delayMs, signal);
    }
  }
}
