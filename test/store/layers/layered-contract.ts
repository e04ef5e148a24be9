import { systemClock } from '../../../src/base/clock.ts';
import { DeadlineStore } from '../../../src/store/layers/deadline.ts';
import { FaultStore } from '../../../src/store/layers/faults.ts';
import { LimitStore } from '../../../src/store/layers/limit.ts';
import { MetricsStore } from '../../../src/store/layers/metrics.ts';
import { RetryStore } from '../../../src/store/layers/retry.ts';
import { seededFaults } from '../../../src/store/layers/seeded-faults.ts';
import type { ObjectStore } from '../../../src/store/object-store.ts';
import {
  objectStoreContract,
  type ContractOptions,
  type OpenStoreForTest,
} from '../../conformance/object-store.ts';

const clock = systemClock;
const seed = Number(process.env['SEED'] ?? Date.now() % 1e6);
/** Short waits: what is tested is that trying again keeps the contract, not how long it takes. */
const policy = { maxAttempts: 12, baseDelayMs: 1, maxDelayMs: 4 };

const LAYERS: Readonly<Record<string, (next: ObjectStore) => ObjectStore>> = {
  retry: (next) => new RetryStore(next, { clock }),
  limit: (next) =>
    new LimitStore(next, { maxRequests: 4, bytesPerSecond: { up: 1e12, down: 1e12 }, clock }),
  deadline: (next) => new DeadlineStore(next, { clock }),
  metrics: (next) => new MetricsStore(next),
  'faults that never strike': (next) =>
    new FaultStore(next, { plan: () => ({ kind: 'none' }), clock }),
  [`retry over faults (SEED=${seed})`]: (next) => new RetryStore(faulty(next), { clock, policy }),
};

function faulty(next: ObjectStore): ObjectStore {
  const rates = { error: 0.1, 'lost-answer': 0.1 };
  return new FaultStore(next, { plan: seededFaults({ seed, rates, maxLatencyMs: 0 }), clock });
}

/** Runs the contract on a backend under every layer. */
export function layeredContract(
  name: string,
  open: OpenStoreForTest,
  options: ContractOptions = {},
): void {
  for (const [layer, wrap] of Object.entries(LAYERS)) {
    objectStoreContract(`${layer} over ${name}`, async (t) => wrap(await open(t)), options);
  }
}
