import assert from 'node:assert/strict';
import type { MapLimitedOptions } from './map-limited.ts';

/**
 * Runs `work` for every item as the items come, at most `limit` at once: `mapLimited` for more
 * items than one wants to hold. After the first failure nothing more is started; what is under way
 * is awaited, so that nothing outlives this call.
 * @throws the first failure, or the signal's reason.
 */
export async function eachLimited<T>(
  items: AsyncIterable<T>,
  work: (item: T) => Promise<void>,
  { limit, signal }: MapLimitedOptions,
): Promise<void> {
  assert(Number.isSafeInteger(limit) && limit > 0, 'a limit lets at least one through');
  const iterator = items[Symbol.asyncIterator]();
  let failure: { readonly reason: unknown } | undefined;
  const worker = async () => {
    try {
      for (let next = await iterator.next(); !next.done && !failure; next = await iterator.next()) {
        signal?.throwIfAborted();
        await work(next.value);
      }
    } catch (error) {
      failure ??= { reason: error };
    }
  };
  await Promise.all(Array.from({ length: limit }, worker));
  await iterator.return?.();
  if (failure) throw failure.reason;
}
