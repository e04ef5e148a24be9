import test from 'ava';
import { MemoryStore } from '../../src/store/memory.ts';
import { ManualClock } from '../base/manual-clock.ts';
import { objectStoreContract } from '../conformance/object-store.ts';
import { bytesOf } from '../conformance/object-store/contract.ts';

const capabilities = { maxObjectBytes: 1 << 20 };
objectStoreContract('memory', async () => new MemoryStore({ capabilities }));
objectStoreContract(
  'memory without conditional put',
  async () => new MemoryStore({ capabilities: { ...capabilities, conditionalPut: false } }),
);

test('objects carry the time of the injected clock', async (t) => {
  const store = new MemoryStore({ clock: new ManualClock(1_700_000_000_000) });
  t.is((await store.put('a', bytesOf('x'))).modifiedMs, 1_700_000_000_000);
});

test('two memory stores are two places', (t) => {
  t.not(new MemoryStore().location, new MemoryStore().location);
});
