import type { Clock } from './clock.ts';

/**
 * Device managers open a new or changed device to look at it, and let go of it within a second or
 * so.
 */
const PATIENCE_MS = 3_000;
const PAUSE_MS = 50;

/**
 * Repeats `work` for a short while as long as it fails with what `isBusy` recognises. @throws its
 * last failure
 */
export async function whileBusy<T>(
  work: () => Promise<T>,
  isBusy: (error: unknown) => boolean,
  clock: Clock,
): Promise<T> {
  for (let waitedMs = 0; ; waitedMs += PAUSE_MS) {
    try {
      return await work();
    } catch (error) {
      if (!isBusy(error) || waitedMs >= PATIENCE_MS) throw error;
    }
    await clock.sleep(PAUSE_MS);
  }
}
