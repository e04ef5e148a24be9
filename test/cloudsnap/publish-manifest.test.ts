import test from 'ava';
import { publishManifest } from '../../src/cloudsnap/publish-manifest.ts';
import { encodeManifest } from '../../src/format/manifest-codec.ts';
import { FaultStore, type FaultKind, type FaultRequest } from '../../src/store/layers/faults.ts';
import { RetryStore } from '../../src/store/layers/retry.ts';
import { MemoryStore } from '../../src/store/memory.ts';
import { MANIFEST } from '../format/samples.ts';
import { instantClock } from '../model/instant-clock.ts';

const KEY = 'manifests/1';
const never = new AbortController().signal;

/**
 * The first put arrives and its answer is lost, so that the second finds the object there; then
 * `kinds` happen to the gets, one after the other.
 */
async function publish(kinds: readonly FaultKind[], ours = MANIFEST) {
  const clock = instantClock();
  const disk = new MemoryStore();
  let [puts, gets] = [0, 0];
  const plan = ({ verb }: FaultRequest) => {
    if (verb === 'put') return { kind: puts++ === 0 ? 'lost-answer' : 'none' } as const;
    return { kind: verb === 'get' ? (kinds[gets++] ?? 'none') : 'none' };
  };
  const store = new RetryStore(new FaultStore(disk, { plan, clock }), { clock });
  const manifest = { bytes: encodeManifest(ours), sealing: undefined };
  return await publishManifest(store, KEY, manifest, never);
}

test('a lost answer is a success, also when the look at what is there is garbled', async (t) => {
  for (const kinds of [[], ['garble'], ['garble', 'garble'], ['error', 'garble', 'truncate']]) {
    await t.notThrowsAsync(publish(kinds as FaultKind[]), kinds.join());
  }
});

test('a manifest whose owner cannot be found out is a doubt, and said to be one', async (t) => {
  const kinds = Array<FaultKind>(10).fill('garble');
  const error = await t.throwsAsync(publish(kinds), { code: 'cloudsnap/in-doubt' });
  t.regex(error.message, /manifests\/1 cannot be found out/);
});
