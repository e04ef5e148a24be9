import type { Clock } from '../base/clock.ts';
import { CloudvolError } from '../base/errors.ts';
import type { TaskContext } from './task-api.ts';

export interface StallLimit {
  /** How long a task may make no progress; 0: for ever. */
  readonly limitMs: number;
  readonly clock: Clock;
}

/** Looks per limit: a stalled task is ended a tenth of the limit late, at most. */
const LOOKS = 10;

/**
 * Runs the work of a task that has to get on: every call of `progress` counts, also one without
 * news. Time is counted in waits, so that a clock that is set does not end anything.
 * @throws CloudvolError `task/stalled` when nothing moved for the limit, or what the work throws.
 */
export async function withStallLimit<T>(
  task: TaskContext,
  { limitMs, clock }: StallLimit,
  work: (task: TaskContext) => Promise<T>,
): Promise<T> {
  if (limitMs === 0) return await work(task);
  const stalled = new AbortController();
  const ended = new AbortController();
  let signs = 0;
  const watch = async () => {
    for (let quiet = 0, seen = signs; quiet < LOOKS;) {
      await clock.sleep(limitMs / LOOKS, ended.signal);
      quiet = signs === seen ? quiet + 1 : 0;
      seen = signs;
    }
    stalled.abort(stalledError(limitMs));
  };
  // Rejects only when it is ended below.
  watch().catch(() => {});
  try {
    return await work({
      id: task.id,
      signal: AbortSignal.any([task.signal, stalled.signal]),
      progress(update) {
        signs++;
        task.progress(update);
      },
      note: (sentence) => task.note(sentence),
      result: (values) => task.result(values),
    });
  } catch (error) {
    // Whatever the work says of its end, this is why.
    throw stalled.signal.aborted && !task.signal.aborted ? stalled.signal.reason : error;
  } finally {
    ended.abort();
  }
}

function stalledError(limitMs: number): CloudvolError {
  return new CloudvolError('task/stalled', `nothing moved for ${limitMs / 1000} seconds`, {
    hint: 'see whether the store answers, then start it again: a backup goes on where it ended',
  });
}
