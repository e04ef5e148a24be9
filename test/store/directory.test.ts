import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { DirectoryStore } from '../../src/store/directory.ts';
import { objectStoreContract } from '../conformance/object-store.ts';

objectStoreContract('directory', async (t: ExecutionContext) => {
  const path = await mkdtemp(join(tmpdir(), 'cloudvol-store-'));
  t.teardown(() => rm(path, { recursive: true }));
  return DirectoryStore.open({ path });
});
