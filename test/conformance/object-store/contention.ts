import { hasCode } from '../../../src/base/errors.ts';
import { bytesOf, infosOf, isUniform, keysOf, textOf, type Contract } from './contract.ts';

export function describeConditionalPuts(contract: Contract): void {
  contract('put if absent creates once; without the capability it says so', async (t, store) => {
    if (!store.capabilities.conditionalPut) {
      const put = store.put('a', bytesOf('x'), { ifAbsent: true });
      await t.throwsAsync(put, { code: 'store/unsupported' });
      t.is(await store.head('a'), undefined);
      return;
    }
    await store.put('a/1', bytesOf('first'), { ifAbsent: true });
    const second = store.put('a/1', bytesOf('second'), { ifAbsent: true });
    await t.throwsAsync(second, { code: 'store/exists' });
    t.is(textOf(await store.get('a/1')), 'first');
    await store.delete(['a/1']);
    await store.put('a/1', bytesOf('third'), { ifAbsent: true });
    t.is(textOf(await store.get('a/1')), 'third');
  });

  contract(
    'of 20 contenders for one key exactly one wins, and its bytes are there',
    async (t, store) => {
      if (!store.capabilities.conditionalPut) {
        const puts = ['a', 'b'].map((name) => store.put('key', bytesOf(name), { ifAbsent: true }));
        for (const end of await Promise.allSettled(puts)) {
          t.true(end.status === 'rejected' && hasCode(end.reason, 'store/unsupported'));
        }
        t.deepEqual(await keysOf(store), []);
        return;
      }
      for (let round = 0; round < 5; round++) {
        const key = `manifests/${round}`;
        const puts = Array.from({ length: 20 }, (_, contender) =>
          store.put(key, bytesOf(`contender ${contender}`), { ifAbsent: true }),
        );
        const ends = await Promise.allSettled(puts);
        const winners = ends.flatMap((end, contender) =>
          end.status === 'fulfilled' ? [contender] : [],
        );
        t.is(winners.length, 1);
        t.is(textOf(await store.get(key)), `contender ${winners[0]}`);
        const losers = ends.filter((end) => end.status === 'rejected');
        t.true(losers.every((end) => hasCode(end.reason, 'store/exists')));
      }
    },
  );

  contract('puts and deletes in one folder do not get in each other’s way', async (t, store) => {
    const worker = async (name: string) => {
      for (let turn = 0; turn < 15; turn++) {
        await store.put(`busy/folder/${name}`, bytesOf(name));
        t.is(textOf(await store.get(`busy/folder/${name}`)), name);
        await store.delete([`busy/folder/${name}`]);
      }
    };
    await Promise.all(['a', 'b', 'c', 'd'].map(worker));
    t.deepEqual(await keysOf(store), []);
  });
}

export function describeAborts(contract: Contract): void {
  contract(
    'an aborted signal stops every verb with its own reason, and nothing happens',
    async (t, store) => {
      await store.put('a', bytesOf('kept'));
      const reason = new Error('stopped by the user');
      const signal = AbortSignal.abort(reason);
      t.is(await t.throwsAsync(store.put('a', bytesOf('lost'), { signal })), reason);
      t.is(await t.throwsAsync(store.put('b', bytesOf('lost'), { signal })), reason);
      t.is(await t.throwsAsync(store.get('a', { signal })), reason);
      t.is(await t.throwsAsync(store.head('a', { signal })), reason);
      t.is(await t.throwsAsync(store.delete(['a'], { signal })), reason);
      t.is(await t.throwsAsync(infosOf(store, '', signal)), reason);
      t.is(textOf(await store.get('a')), 'kept');
      t.deepEqual(await keysOf(store), ['a']);
    },
  );

  contract(
    'an abort in the middle of a put leaves the old object or the new one',
    async (t, store) => {
      const old = new Uint8Array(300_000).fill(1);
      await store.put('a', old);
      for (let turn = 0; turn < 6; turn++) {
        const controller = new AbortController();
        const put = store.put('a', new Uint8Array(300_000).fill(2), { signal: controller.signal });
        for (let wait = 0; wait < turn; wait++) await new Promise(setImmediate);
        controller.abort(new Error('stop'));
        const [end] = await Promise.allSettled([put]);
        const body = await store.get('a');
        t.true(body.length === 300_000 && isUniform(body));
        if (end?.status === 'fulfilled') t.is(body[0], 2);
        await store.put('a', old);
      }
    },
  );
}
