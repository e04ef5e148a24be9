import { MemoryStore } from '../../../src/store/memory.ts';
import { layeredContract } from './layered-contract.ts';

layeredContract(
  'memory',
  async () => new MemoryStore({ capabilities: { maxObjectBytes: 1 << 20 } }),
);
