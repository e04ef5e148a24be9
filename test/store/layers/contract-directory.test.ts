import { layeredContract } from './layered-contract.ts';
import { openTemporaryStore } from '../directory/temporary-store.ts';

// In memory where there is a tmpfs: the disk's part is tested on the bare backend.
layeredContract('directory', async (t) => (await openTemporaryStore(t, 'in-memory')).store, {
  // All of them are tested on the bare backend, and on memory under every layer.
  manyKeys: 200,
});
