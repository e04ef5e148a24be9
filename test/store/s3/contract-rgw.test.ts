import { randomUUID } from 'node:crypto';
import test from 'ava';
import { S3Store } from '../../../src/store/s3.ts';
import { objectStoreContract, type OpenStoreForTest } from '../../conformance/object-store.ts';
import { hasAll, requires } from '../../support/requires.ts';
import { givenS3 } from '../../support/servers/given-s3.ts';
import { startRgw } from '../../support/servers/rgw.ts';
import type { S3Server } from '../../support/servers/server.ts';
import { layeredContract } from '../layers/layered-contract.ts';

const given = givenS3();
/** More than two pages: each listing of many keys crosses page boundaries. */
const OPTIONS = { manyKeys: 45, folders: given ? 'doubtful' : 'names' } as const;
const PAGE_KEYS = 20;

const name = given ? given.endpoint : 'Ceph RGW';
let server: S3Server | undefined;
const openBucket: OpenStoreForTest = () =>
  S3Store.open(server!.target(`t-${randomUUID()}`), { pageKeys: PAGE_KEYS });

if (given || hasAll('radosgw')) {
  test.before(async () => {
    server = given ?? (await startRgw());
  });
  test.after.always(() => server?.stop());
  objectStoreContract(name, openBucket, { ...OPTIONS, manyKeys: 200 });
  layeredContract(name, openBucket, OPTIONS);
} else {
  requires('radosgw')('Ceph RGW keeps the contract', (t) => t.fail());
}
