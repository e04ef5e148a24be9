import { compareKeys, MAX_SEGMENT_BYTES } from '../../../src/store/key.ts';
import { MAX_KEY_BYTES, STORE_ERROR_CODES } from '../../../src/store/object-store.ts';
import { bytesOf, keysOf, textOf, type Contract } from './contract.ts';

const BAD_KEYS = [
  '',
  '/',
  '/absolute',
  'folder/',
  'a//b',
  '.',
  '..',
  '../outside',
  'a/../../outside',
  'a/./b',
  'ends-in-dot.',
  'a./b',
  'nul\0',
  'new\nline',
  'del\u007f',
  'back\\slash',
  'lone \ud800 surrogate',
  'not-xml\uffff',
  'k'.repeat(MAX_SEGMENT_BYTES + 1),
  'é'.repeat(128),
  `${'k/'.repeat(MAX_KEY_BYTES / 2)}k`,
];

export function describeKeys(contract: Contract): void {
  contract('keys may be any Unicode text, up to the longest', async (t, store) => {
    const segment = 'k'.repeat(MAX_SEGMENT_BYTES);
    const longest = `${segment}/${segment}/${segment}/${segment}x`.slice(0, -1);
    t.is(Buffer.byteLength(longest), MAX_KEY_BYTES - 1);
    const keys = [
      longest,
      'é'.repeat(127),
      'ключ/鍵/😀',
      ' a b ',
      '%2F?&=#+*',
      '-rf',
      '.hidden',
      '...a',
      '\'"$`',
    ];
    for (const key of keys) {
      await store.put(key, bytesOf(key));
      t.is(textOf(await store.get(key)), key);
      t.is((await store.head(key))?.key, key);
    }
    t.deepEqual(await keysOf(store), keys.toSorted(compareKeys));
  });

  contract('a bad key is refused by every verb', async (t, store) => {
    for (const key of BAD_KEYS) {
      const expected = { code: 'store/bad-key' };
      await t.throwsAsync(store.put(key, bytesOf('x')), expected, key);
      await t.throwsAsync(store.get(key), expected, key);
      await t.throwsAsync(store.head(key), expected, key);
      await t.throwsAsync(store.delete(['good', key]), expected, key);
    }
    for (const prefix of ['/', '../', 'a/../', 'a//', 'a\0']) {
      await t.throwsAsync(keysOf(store, prefix), { code: 'store/bad-key' }, prefix);
    }
    t.deepEqual(await keysOf(store), []);
  });

  contract(
    'every error is a CloudvolError with a code of the contract, and names its key',
    async (t, store) => {
      const error = await t.throwsAsync<Error & { code: string }>(store.get('some/absent-key'));
      t.true((STORE_ERROR_CODES as readonly string[]).includes(error.code));
      t.regex(error.message, /some\/absent-key/);
    },
  );
}
