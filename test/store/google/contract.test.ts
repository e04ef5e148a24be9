import { randomUUID } from 'node:crypto';
import test from 'ava';
import { GoogleStore } from '../../../src/store/google.ts';
import { objectStoreContract, type OpenStoreForTest } from '../../conformance/object-store.ts';
import { hasAll, requires } from '../../support/requires.ts';
import { startFakeGcs, type FakeGcsServer } from '../../support/servers/fake-gcs.ts';
import { layeredContract } from '../layers/layered-contract.ts';

/** Listings of many keys cross page boundaries. */
const OPTIONS = { manyKeys: 45, folders: 'names', oneByOne: true } as const;
const PAGE_SIZE = 20;

let server: FakeGcsServer;
const openBucket: OpenStoreForTest = () =>
  GoogleStore.open(server.target(`t-${randomUUID()}`), { pageSize: PAGE_SIZE });

if (hasAll('fake-gcs-server')) {
  test.before(async () => {
    server = await startFakeGcs();
  });
  test.after.always(() => server.stop());
  objectStoreContract('google', openBucket, { ...OPTIONS, manyKeys: 200 });
  layeredContract('google', openBucket, OPTIONS);
} else {
  requires('fake-gcs-server')('the contract holds on Google Cloud Storage', (t) => t.fail());
}
