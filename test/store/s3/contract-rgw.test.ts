import { randomUUID } from 'node:crypto';
import test from 'ava';
import { S3Store } from '../../../src/store/s3.ts';
import { objectStoreContract, type OpenStoreForTest } from '../../conformance/object-store.ts';
import { hasAll, requires } from '../../support/requires.ts';
import { startRgw, type RgwServer } from '../../support/servers/rgw.ts';
import { layeredContract } from '../layers/layered-contract.ts';

/** More than two pages: each listing of many keys crosses page boundaries. */
const OPTIONS = { manyKeys: 45, folders: 'names' } as const;
const PAGE_KEYS = 20;

let server: RgwServer | undefined;
const openBucket: OpenStoreForTest = () =>
  S3Store.open(server!.target(`t-${randomUUID()}`), { pageKeys: PAGE_KEYS });

if (hasAll('radosgw')) {
  test.before(async () => {
    server = await startRgw();
  });
  test.after.always(() => server?.stop());
  objectStoreContract('Ceph RGW', openBucket, { ...OPTIONS, manyKeys: 200 });
  layeredContract('Ceph RGW', openBucket, OPTIONS);
} else {
  requires('radosgw')('Ceph RGW keeps the contract', (t) => t.fail());
}
