/**
 * Child of crash.test.ts: puts objects as fast as it can until it is killed; prints each key once
 * its put resolved.
 */
import { writeSync } from 'node:fs';
import { seededRandom } from '../../../src/base/seeded-random.ts';
import { sha256Hex } from '../../../src/base/sha256.ts';
import { DirectoryStore } from '../../../src/store/directory.ts';

const [path = '', seed = '0'] = process.argv.slice(2);
const store = await DirectoryStore.open({ path });
const random = seededRandom(Number(seed));

/**
 * The name of an object says what it must hold; `shared` is replaced again and again and says so in
 * its body.
 */
async function putOne(worker: number): Promise<string> {
  const body = random.bytes(1 + random.below(400_000));
  if (worker === 0) {
    await store.put('shared', Buffer.concat([Buffer.from(sha256Hex(body)), body]));
    return 'shared';
  }
  const key = `packs/${worker}/${sha256Hex(body)}`;
  await store.put(key, body, { ifAbsent: worker === 1 });
  return key;
}

async function work(worker: number): Promise<never> {
  for (;;) writeSync(1, `${await putOne(worker)}\n`);
}

await Promise.all([0, 1, 2].map(work));
