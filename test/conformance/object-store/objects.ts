import { seededRandom } from '../../../src/base/seeded-random.ts';
import { bytesOf, isSameObject, isUniform, keysOf, textOf, type Contract } from './contract.ts';

export function describeObjects(contract: Contract): void {
  contract('get and head see what put stored', async (t, store) => {
    const info = await store.put('manifests/7/1', bytesOf('content'));
    t.is(info.key, 'manifests/7/1');
    t.is(info.sizeBytes, 7);
    t.true(Number.isInteger(info.modifiedMs) && info.modifiedMs > Date.UTC(2020, 0, 1));
    t.true(isSameObject(await store.head('manifests/7/1'), info));
    t.is(textOf(await store.get('manifests/7/1')), 'content');
  });

  contract('put replaces an object whole', async (t, store) => {
    await store.put('a', bytesOf('a long first version'));
    await store.put('a', bytesOf('short'));
    t.is(textOf(await store.get('a')), 'short');
    t.is((await store.head('a'))?.sizeBytes, 5);
    t.deepEqual(await keysOf(store), ['a']);
  });

  contract('an object without bytes is an object', async (t, store) => {
    await store.put('empty', new Uint8Array(0));
    t.is((await store.get('empty')).length, 0);
    t.is((await store.head('empty'))?.sizeBytes, 0);
    t.deepEqual(await keysOf(store), ['empty']);
  });

  contract('what is not there is not found', async (t, store) => {
    await store.put('folder/object', bytesOf('x'));
    for (const key of [
      'absent',
      'folder',
      'folder/absent',
      'absent/deeper',
      'folder/object/deeper',
    ]) {
      await t.throwsAsync(store.get(key), { code: 'store/not-found' }, key);
      t.is(await store.head(key), undefined, key);
    }
  });

  contract(
    'delete removes what it names, and is content with what is not there',
    async (t, store) => {
      await store.put('folder/gone', bytesOf('x'));
      await store.put('folder/kept', bytesOf('y'));
      const names = [
        'folder/gone',
        'folder/gone',
        'never',
        'folder',
        'never/deeper',
        'folder/kept/no',
      ];
      await store.delete(names);
      await store.delete(names);
      await store.delete([]);
      t.deepEqual(await keysOf(store), ['folder/kept']);
      t.is(await store.head('folder/gone'), undefined);
    },
  );

  contract(
    'the caller’s buffer is its own again after put, and a body is the caller’s after get',
    async (t, store) => {
      const body = bytesOf('original');
      await store.put('a', body);
      body.fill(0);
      const got = await store.get('a');
      t.is(textOf(got), 'original');
      got.fill(0);
      t.is(textOf(await store.get('a')), 'original');
    },
  );

  contract('a put while others read: each reads one version whole', async (t, store) => {
    const versions = Array.from({ length: 6 }, (_, version) =>
      new Uint8Array(200_000).fill(version),
    );
    await store.put('a', versions[0]!);
    let writing = true;
    let reads = 0;
    const reader = async () => {
      while (writing || reads < 10) {
        const body = await store.get('a');
        t.is(body.length, 200_000);
        t.true(isUniform(body), 'a mixture of two versions');
        reads++;
      }
    };
    const writer = async () => {
      for (const version of versions) await store.put('a', version);
      writing = false;
    };
    await Promise.all([reader(), reader(), writer()]);
  });

  contract('a body over the limit is refused before anything is sent', async (t, store) => {
    const body = new Uint8Array(store.capabilities.maxObjectBytes + 1);
    await t.throwsAsync(store.put('big', body), { code: 'store/unsupported' });
    t.is(await store.head('big'), undefined);
  });
}

export function describeRealFolders(contract: Contract): void {
  contract(
    'an object and a folder of one name: the second is refused, the first stays',
    async (t, store) => {
      await store.put('a/b', bytesOf('below'));
      await store.put('c', bytesOf('object'));
      for (const ifAbsent of [false, store.capabilities.conditionalPut]) {
        await t.throwsAsync(store.put('a', bytesOf('x'), { ifAbsent }), {
          code: 'store/unsupported',
        });
        await t.throwsAsync(store.put('c/d/e', bytesOf('x'), { ifAbsent }), {
          code: 'store/unsupported',
        });
      }
      t.deepEqual(await keysOf(store), ['a/b', 'c']);
      await store.delete(['a/b']);
      await store.put('a', bytesOf('now it may'));
      t.deepEqual(await keysOf(store), ['a', 'c']);
    },
  );
}

export function describeFlatNames(contract: Contract): void {
  contract(
    'where folders are only names, an object and a folder may share one',
    async (t, store) => {
      await store.put('a/b', bytesOf('below'));
      await store.put('a', bytesOf('object'));
      t.deepEqual(await keysOf(store), ['a', 'a/b']);
      await store.delete(['a']);
      t.is(textOf(await store.get('a/b')), 'below');
      t.is(await store.head('a'), undefined);
    },
  );
}

export function describeRanges(contract: Contract): void {
  contract('a range is exactly the bytes asked for', async (t, store) => {
    const body = seededRandom(3).bytes(100_000);
    await store.put('a', body);
    const ranges = [
      [0, 1],
      [0, 100_000],
      [99_999, 1],
      [12_345, 54_321],
    ] as const;
    for (const [offset, length] of ranges) {
      const got = await store.get('a', { range: { offset, length } });
      t.deepEqual(Buffer.from(got), Buffer.from(body.subarray(offset, offset + length)));
    }
  });

  contract(
    'a range that reaches beyond the end is an error, never a short body',
    async (t, store) => {
      await store.put('a', bytesOf('12345'));
      await store.put('empty', new Uint8Array(0));
      const ranges = [
        ['a', 0, 6],
        ['a', 4, 2],
        ['a', 5, 1],
        ['a', 1_000_000, 1],
        ['empty', 0, 1],
      ] as const;
      for (const [key, offset, length] of ranges) {
        await t.throwsAsync(store.get(key, { range: { offset, length } }), { code: 'store/range' });
      }
      await t.throwsAsync(store.get('absent', { range: { offset: 0, length: 1 } }), {
        code: 'store/not-found',
      });
    },
  );
}
