import { abortable } from './abortable.ts';
import type { Clock } from './clock.ts';

export interface DeadlineOptions {
  readonly limitMs: number;
  readonly clock: Clock;
  readonly signal?: AbortSignal | undefined;
  /** Makes the error that the caller gets when time is up. */
  readonly timedOut: () => Error;
}

/**
 * Gives `work` at most `limitMs`. When time is up its signal is aborted and the caller goes on at
 * once, even if the work never heeds the signal (a hung call): its late outcome is dropped.
 * @throws `timedOut()`, the outer signal's reason, or what the work throws, whichever comes first.
 */
export async function withDeadline<T>(
  work: (signal: AbortSignal) => Promise<T>,
  { limitMs, clock, signal, timedOut }: DeadlineOptions,
): Promise<T> {
  signal?.throwIfAborted();
  const cut = new AbortController();
  const timer = new AbortController();
  const follow = () => cut.abort(signal?.reason);
  signal?.addEventListener('abort', follow, { once: true });
  clock.sleep(limitMs, timer.signal).then(
    () => cut.abort(timedOut()),
    // Rejects only when the timer is cancelled below: the work was in time.
    () => {},
  );
  try {
    return await abortable(work(cut.signal), cut.signal);
  } finally {
    timer.abort();
    signal?.removeEventListener('abort', follow);
  }
}
