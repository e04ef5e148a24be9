import type { Clock } from '../base/clock.ts';
import { messageOf } from '../base/errors.ts';
import type { TaskContext } from '../tasks/task-api.ts';
import type { BackingSource } from '../volume/backing-source.ts';
import type { HydrationTarget } from '../volume/volume-api.ts';
import { isTransientFault } from './fetch-faults.ts';
import { hydrate } from './hydrate.ts';
import { HydrationPace } from './hydration-pace.ts';

/** Between two attempts while the store is away: its own retries have taken half a minute. */
export const AWAY_PAUSE_MS = 10_000;

/**
 * Fills a volume that is in use: at the volume's own rate, and through outages of the store for as
 * long as they last. Nothing else would fill it before the agent starts anew.
 * @throws the task's stop reason, or what is no transient fault of `hydrate`.
 */
export async function hydrateLazily(
  target: HydrationTarget,
  source: BackingSource,
  clock: Clock,
  task: TaskContext,
): Promise<void> {
  const pace = new HydrationPace(() => target.hydrationRate, clock);
  let isAway = false;
  try {
    for (;;) {
      try {
        await hydrate(target, source, { pace }, task);
        task.note('the volume holds all of its blocks and needs the cloud no more');
        return;
      } catch (error) {
        task.signal.throwIfAborted();
        if (!isTransientFault(error)) throw error;
        if (!isAway) task.note(`waits until the store answers again: ${messageOf(error)}`);
        isAway = true;
        await clock.sleep(AWAY_PAUSE_MS, task.signal);
      }
    }
  } finally {
    pace.close();
  }
}
