import { randomUUID } from 'node:crypto';
import test from 'ava';
import { systemClock } from '../../src/base/clock.ts';
import type { CloudvolError } from '../../src/base/errors.ts';
import { seededRandom } from '../../src/base/seeded-random.ts';
import { AzureStore } from '../../src/store/azure.ts';
import { GoogleStore } from '../../src/store/google.ts';
import type { ObjectStore } from '../../src/store/object-store.ts';
import { S3Store } from '../../src/store/s3.ts';
import { realLayers } from '../model/fault-campaign.ts';
import { Lab } from '../model/lab.ts';
import { RecordingTask } from '../model/recording-task.ts';
import { type Need, requires } from '../support/requires.ts';
import { startAzurite } from '../support/servers/azurite.ts';
import { startFakeGcs } from '../support/servers/fake-gcs.ts';
import { startFaultProxy } from '../support/servers/fault-proxy.ts';
import { startRgw } from '../support/servers/rgw.ts';
import { type CampaignServer, runNetworkCampaign } from './network-campaign.ts';

const SEED = Number(process.env['SEED'] ?? 1);
const BACKUPS = process.env['BACKUPS'];
const BLOCK = 4096;
const bucket = () => `t-${randomUUID()}`;

async function rgw(): Promise<CampaignServer> {
  const server = await startRgw();
  return {
    address: server.endpoint,
    open: (address) => S3Store.open({ ...server.target(bucket()), endpoints: [address] }),
    isObjectGet: ({ method, url = '' }) => method === 'GET' && !url.includes('list-type'),
    putMethod: 'PUT',
    stop: () => server.stop(),
  };
}

async function azurite(): Promise<CampaignServer> {
  const server = await startAzurite();
  const { host, pathname } = new URL(server.endpoint);
  return {
    address: host,
    open: (address) => {
      const target = { ...server.target(bucket()), endpoint: `http://${address}${pathname}` };
      return AzureStore.open(target, { clock: systemClock });
    },
    isObjectGet: ({ method, url = '' }) => method === 'GET' && !url.includes('comp=list'),
    putMethod: 'PUT',
    stop: () => server.stop(),
  };
}

async function fakeGcs(): Promise<CampaignServer> {
  const server = await startFakeGcs();
  return {
    address: new URL(server.endpoint).host,
    open: (address) =>
      GoogleStore.open({ ...server.target(bucket()), endpoint: `http://${address}` }),
    isObjectGet: ({ method, url = '' }) => method === 'GET' && url.includes('alt=media'),
    putMethod: 'POST',
    stop: () => server.stop(),
  };
}

interface Campaign {
  readonly need: Need;
  readonly name: string;
  readonly start: () => Promise<CampaignServer>;
  /** Without BACKUPS in the environment. */
  readonly backups: number;
}

const CAMPAIGNS: readonly Campaign[] = [
  { need: 'radosgw', name: 'Ceph RGW', start: rgw, backups: 20 },
  { need: 'azurite', name: 'Azurite', start: azurite, backups: 12 },
  { need: 'fake-gcs-server', name: 'fake-gcs-server', start: fakeGcs, backups: 12 },
];

test.beforeEach((t) => t.timeout(4 * 60_000));

for (const { need, name, start, backups } of CAMPAIGNS) {
  let server: CampaignServer | undefined;
  test.after.always(() => server?.stop());

  requires(need)(
    `${name}: backups where a fifth of the requests fails are right or cleanly failed`,
    async (t) => {
      server = await start();
      await runNetworkCampaign(t, server, { seed: SEED, backups: Number(BACKUPS ?? backups) });
    },
  );

  requires(need)(
    `${name}: a credential that is revoked midway stops the backup, and the next one goes on`,
    async (t) => {
      server ??= await start();
      let revoked = false;
      const proxy = await startFaultProxy(server.address, () => (revoked ? 403 : undefined));
      t.teardown(() => proxy.stop());
      const store = await server.open(proxy.endpoint);
      t.teardown(() => store.close());
      const wrap = (next: ObjectStore) => realLayers(next, { clock: systemClock });
      const lab = await Lab.open({ disks: [store], packTargetBytes: 4 * BLOCK, wrap });
      lab.volume.write(0, seededRandom(SEED).bytes(40 * BLOCK));
      let packs = 0;
      lab.onStep = (step) => {
        if (/\/pack-.* done$/.test(step) && ++packs === 5) revoked = true;
      };
      const error = await t.throwsAsync<CloudvolError>(lab.backup(), { code: 'store/denied' });
      t.truthy(error?.hint, 'it says what to do');
      t.true(revoked);
      t.is(lab.volume.openViews, 0);
      revoked = false;
      t.deepEqual(await lab.visible(), []);
      await lab.restart();
      const task = new RecordingTask();
      const entry = await lab.backup({}, task);
      t.true(Number(task.results['reusedBlocks']) >= 8, task.notes.join('; '));
      t.is(entry.manifest.statistics.uploadedBlocks, 40);
      t.deepEqual(await lab.wrongBlocks(entry), []);
    },
  );
}
