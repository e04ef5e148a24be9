import { systemClock, type Clock } from '../../../src/base/clock.ts';
import { FaultStore, type FaultKind } from '../../../src/store/layers/faults.ts';
import { MemoryStore } from '../../../src/store/memory.ts';

/** A memory store whose first requests meet the given fates, in order; all later ones succeed. */
export function scriptedStore(fates: readonly FaultKind[], clock: Clock = systemClock) {
  const memory = new MemoryStore({ clock });
  const faulty = new FaultStore(memory, {
    clock,
    plan: ({ count }) => ({ kind: fates[count - 1] ?? 'none' }),
  });
  return { memory, faulty };
}
