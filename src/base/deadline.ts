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

/**
 * The same for the steps of an async iteration: each may take `limitMs`; one that hangs is cut
 * after at most twice that. One timer watches all steps, since an iteration may have very many.
 * Time that the reader takes does not count.
 * @param open starts the iteration; its signal is aborted when it is cut, aborted or left by its
 * reader.
 * @throws `timedOut()`, the outer signal's reason, or what the iteration throws.
 */
export async function* withStepDeadline<T>(
  open: (signal: AbortSignal) => AsyncIterable<T>,
  { limitMs, clock, signal, timedOut }: DeadlineOptions,
): AsyncGenerator<T> {
  const cut = new AbortController();
  const ended = new AbortController();
  const either = signal ? AbortSignal.any([signal, cut.signal]) : cut.signal;
  const steps = open(either)[Symbol.asyncIterator]();
  // The number of the step under way; 0 while the reader has the word.
  let current = 0;
  let count = 0;
  const watch = async () => {
    for (;;) {
      const before = current;
      await clock.sleep(limitMs, ended.signal);
      if (before !== 0 && before === current) cut.abort(timedOut());
    }
  };
  try {
    for (;;) {
      current = ++count;
      const step = abortable(steps.next(), either);
      // Rejects only when it is ended below.
      if (count === 1) watch().catch(() => {});
      const result = await step;
      current = 0;
      if (result.done) return;
      yield result.value;
    }
  } finally {
    ended.abort();
    cut.abort();
    // Not awaited: a generator queues this behind a step that hangs. What it throws, that step has
    // told already.
    steps.return?.().catch(() => {});
  }
}
