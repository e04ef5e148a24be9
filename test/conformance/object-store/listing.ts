import { mapLimited } from '../../../src/base/map-limited.ts';
import { compareKeys } from '../../../src/store/key.ts';
import { bytesOf, infosOf, isSameObject, keysOf, type Contract } from './contract.ts';

export function describeListing(contract: Contract, manyKeys: number): void {
  contract(
    'list is ascending by the UTF-8 bytes of whole keys, folders or not',
    async (t, store) => {
      // '-' and '.' sort before '/', '0' after it; 😀 is above U+FF5E in UTF-8 and below it in
      // UTF-16.
      const keys = [
        'a-b',
        'a.b',
        'a/b',
        'a/b-',
        'a/c/d',
        'a0',
        'é',
        '～',
        '😀',
        'B',
        'manifests/10',
        'manifests/9',
      ];
      for (const key of keys) await store.put(key, bytesOf(key));
      const byBytes = keys.toSorted((left, right) =>
        Buffer.compare(Buffer.from(left), Buffer.from(right)),
      );
      t.deepEqual(await keysOf(store), byBytes);
      t.deepEqual(byBytes.toSorted(compareKeys), byBytes);
    },
  );

  contract('a prefix is a beginning of the key, wherever it ends', async (t, store) => {
    for (const key of ['a/b/1', 'a/b/2', 'a/bc', 'a-', 'b']) await store.put(key, bytesOf(key));
    t.deepEqual(await keysOf(store, 'a/b'), ['a/b/1', 'a/b/2', 'a/bc']);
    t.deepEqual(await keysOf(store, 'a/b/'), ['a/b/1', 'a/b/2']);
    t.deepEqual(await keysOf(store, 'a'), ['a-', 'a/b/1', 'a/b/2', 'a/bc']);
    t.deepEqual(await keysOf(store, 'a/b/1'), ['a/b/1']);
    for (const nothing of ['c', 'a/b/1/', 'a/b/3', 'b/'])
      t.deepEqual(await keysOf(store, nothing), []);
  });

  contract('list gives size and time of each object', async (t, store) => {
    const put = [await store.put('x/1', bytesOf('1')), await store.put('x/2', bytesOf('22'))];
    const listed = await infosOf(store, 'x/');
    t.is(listed.length, put.length);
    t.true(listed.every((info, index) => isSameObject(info, put[index])));
  });

  contract(`${manyKeys} keys come in order and once each`, async (t, store) => {
    const keys = Array.from({ length: manyKeys }, (_, index) => `packs/${index % 7}/${index}`);
    await mapLimited(keys, (key) => store.put(key, bytesOf(key)), { limit: 16 });
    t.deepEqual(await keysOf(store, 'packs/'), keys.toSorted(compareKeys));
    await store.delete(keys);
    t.deepEqual(await keysOf(store), []);
  });

  contract('a reader may leave a listing halfway', async (t, store) => {
    for (const key of ['a', 'b', 'c']) await store.put(key, bytesOf(key));
    for await (const { key } of store.list('')) {
      t.is(key, 'a');
      break;
    }
    t.deepEqual(await keysOf(store), ['a', 'b', 'c']);
  });
}
