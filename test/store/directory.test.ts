import { objectStoreContract } from '../conformance/object-store.ts';
import { openTemporaryStore } from './directory/temporary-store.ts';

objectStoreContract('directory', async (t) => (await openTemporaryStore(t)).store);
