import assert from 'node:assert/strict';

export interface MapLimitedOptions {
  /** Most pieces of work under way at once. */
  readonly limit: number;
  readonly signal?: AbortSignal;
}

/**
 * Runs `work` for every item, at most `limit` at once, started in order; the results stand in the
 * order of the items. After the first failure nothing more is started; what is under way is
 * awaited, so that nothing outlives this call.
 * @throws the first failure, or the signal's reason.
 */
export async function mapLimited<T, R>(
  items: Iterable<T>,
  work: (item: T, index: number) => Promise<R>,
  { limit, signal }: MapLimitedOptions,
): Promise<R[]> {
  assert(Number.isSafeInteger(limit) && limit > 0, 'a limit lets at least one through');
  const results: R[] = [];
  const entries = Iterator.from(items).map((item, index) => [index, item] as const);
  let failure: { readonly reason: unknown } | undefined;
  const worker = async () => {
    try {
      // The workers draw from one iterator: each item goes to exactly one of them.
      for (let next = entries.next(); !next.done; next = entries.next()) {
        signal?.throwIfAborted();
        const [index, item] = next.value;
        results[index] = await work(item, index);
      }
    } catch (error) {
      failure ??= { reason: error };
      // A closed iterator has nothing more for the other workers.
      entries.return?.();
    }
  };
  await Promise.all(Array.from({ length: limit }, worker));
  if (failure) throw failure.reason;
  return results;
}
