import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { DirectoryStore } from '../../../src/store/directory.ts';

const TMPFS = '/dev/shm';

/** A folder that is gone when the test ends. */
export async function temporaryFolder(t: ExecutionContext, where?: 'in-memory'): Promise<string> {
  const parent = where === 'in-memory' && existsSync(TMPFS) ? TMPFS : tmpdir();
  const path = await mkdtemp(join(parent, 'cloudvol-store-'));
  t.teardown(() => rm(path, { recursive: true, force: true }));
  return path;
}

export async function openTemporaryStore(t: ExecutionContext, where?: 'in-memory') {
  const path = await temporaryFolder(t, where);
  return { path, store: await DirectoryStore.open({ path }) };
}
