/**
 * Child of full.test.ts, in a mount namespace of its own whose tmpfs goes with it: fills the store,
 * then uses it read-only. Prints what happened as one line of JSON.
 */
import { execFileSync } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { CloudvolError } from '../../../src/base/errors.ts';
import { DirectoryStore } from '../../../src/store/directory.ts';

const path = process.argv[2] ?? '';
const store = await DirectoryStore.open({ path });
const body = new Uint8Array(300_000).fill(7);

async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return 'ok';
  } catch (error) {
    if (!(error instanceof CloudvolError)) throw error;
    return error.code;
  }
}

const puts: string[] = [];
for (let index = 0; index < 5; index++) puts.push(await codeOf(store.put(`packs/${index}`, body)));
const replaced = await codeOf(store.put('packs/0', new Uint8Array(600_000)));
const temporary = await readdir(join(path, '.tmp.'));
const kept = await Promise.all(puts.map((_, index) => store.head(`packs/${index}`)));
await store.delete(['packs/1']);
const afterDelete = await codeOf(store.put('packs/new', body));

execFileSync('mount', ['-o', 'remount,ro', path]);
const readOnly = await DirectoryStore.open({ path });
console.log(
  JSON.stringify({
    puts,
    replaced,
    temporary,
    kept: kept.map((info) => info?.sizeBytes ?? 0),
    afterDelete,
    readOnly: {
      get: (await readOnly.get('packs/0')).length,
      put: await codeOf(readOnly.put('packs/0', body)),
      delete: await codeOf(readOnly.delete(['packs/0'])),
    },
  }),
);
