import type { Clock } from '../../base/clock.ts';
import { hasCode } from '../../base/errors.ts';
import { retry } from '../../base/retry.ts';

/**
 * Each attempt reads twice already. A line that garbles every tenth body, unnoticed by the layers
 * below, makes one false alarm in a million damaged-looking reads.
 */
const CONFIRMATION = { maxAttempts: 3, baseDelayMs: 200, maxDelayMs: 1000 };

/**
 * Damage is what reads as damage again and again: bytes can be garbled on their way, and an alarm
 * has people take full cloudsnaps.
 * @throws CloudvolError `cloudsnap/corrupt` when it is damaged; what `read` throws otherwise.
 */
export function confirmDamage<T>(
  read: () => Promise<T>,
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
): Promise<T> {
  const isRetriable = (error: unknown) => hasCode(error, 'cloudsnap/corrupt');
  return retry(read, { policy: CONFIRMATION, clock, signal, isRetriable });
}
