import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import test from 'ava';
import { seededRandom } from '../../../src/base/seeded-random.ts';
import { sha256Hex } from '../../../src/base/sha256.ts';
import { DirectoryStore } from '../../../src/store/directory.ts';
import { keysOf } from '../../conformance/object-store/contract.ts';
import { temporaryFolder } from './temporary-store.ts';

const ROUNDS = 4;
const SEED = Number(process.env['SEED'] ?? Date.now() % 1e6);
const CHILD = join(import.meta.dirname, 'put-for-ever.ts');

test(`a killed writer leaves whole objects, all it acknowledged (SEED=${SEED})`, async (t) => {
  const path = await temporaryFolder(t);
  const random = seededRandom(SEED);
  const acknowledged = new Set<string>();
  let leftHalfDone = 0;
  for (let round = 0; round < ROUNDS; round++) {
    for (const key of await putUntilKilled(path, SEED + round, 5 + random.below(20)))
      acknowledged.add(key);
    leftHalfDone += (await readdir(join(path, '.tmp.'))).length;
    const store = await DirectoryStore.open({ path });
    t.deepEqual(await readdir(join(path, '.tmp.')), [], 'opening sweeps what was left');
    const keys = await keysOf(store);
    t.deepEqual([...acknowledged.difference(new Set(keys))], []);
    for (const key of keys) t.true(isWhole(key, await store.get(key)), key);
  }
  t.true(acknowledged.size > ROUNDS);
  t.log(`${acknowledged.size} objects, ${leftHalfDone} left half done`);
});

/**
 * Kills the child as soon as it has acknowledged `count` puts; gives what it had said until it was
 * dead.
 */
async function putUntilKilled(path: string, seed: number, count: number): Promise<string[]> {
  const child = spawn(process.execPath, [CHILD, path, String(seed)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  const acknowledged: string[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    acknowledged.push(line);
    if (acknowledged.length === count) child.kill('SIGKILL');
  }
  await exited;
  return acknowledged;
}

function isWhole(key: string, body: Uint8Array): boolean {
  if (key !== 'shared') return key.endsWith(sha256Hex(body));
  return Buffer.from(body.subarray(0, 64)).toString() === sha256Hex(body.subarray(64));
}
