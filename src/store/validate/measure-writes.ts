import { randomBytes } from 'node:crypto';

import type { ObjectStore } from '../object-store.ts';

/** As many as a backup uploads at once. */
const AT_ONCE = 4;
const FIRST_BYTES = 256 << 10;
const BODY_BYTES = 4 << 20;
/** A line this slow is measured well enough by the first object. */
const SLOW_MS = 500;

export interface MeasureOptions {
  readonly prefix: string;
  /** Gets every key before it is written, for whoever cleans up. */
  readonly written: string[];
  readonly signal: AbortSignal;
}

/** Bytes per second of writes as backups make them: several objects at once. */
export async function measureWrites(
  store: ObjectStore,
  { prefix, written, signal }: MeasureOptions,
): Promise<number> {
  const put = async (name: string, body: Uint8Array) => {
    written.push(`${prefix}${name}`);
    await store.put(`${prefix}${name}`, body, { signal });
  };
  const firstMs = await timed(() => put('first', randomBytes(FIRST_BYTES)));
  if (firstMs > SLOW_MS) return (FIRST_BYTES / firstMs) * 1000;
  const body = randomBytes(BODY_BYTES);
  const names = Array.from({ length: AT_ONCE }, (_, index) => String(index));
  const ms = await timed(() => Promise.all(names.map((name) => put(name, body))));
  return ((AT_ONCE * BODY_BYTES) / ms) * 1000;
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  // A store in memory may take less than the clock can tell.
  return Math.max(performance.now() - started, 1);
}
