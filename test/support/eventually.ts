import { setTimeout as delay } from 'node:timers/promises';

const POLL_MS = 50;

/**
 * Waits until `check` returns something other than undefined or false, and returns it. For states
 * of the host that send no event.
 * @throws when `limitMs` have passed; `what` names the state in the message.
 */
export async function eventually<T>(
  what: string,
  check: () => Promise<T | undefined | false> | T | undefined | false,
  limitMs = 20_000,
): Promise<T> {
  const deadline = performance.now() + limitMs;
  for (;;) {
    const value = await check();
    if (value !== undefined && value !== false) return value;
    if (performance.now() > deadline) throw new Error(`after ${limitMs} ms, still not: ${what}`);
    await delay(POLL_MS);
  }
}
