import { mkdtemp, mkdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, ServerProcesses, untilAnswers, type S3Server } from './server.ts';

const FSID = '11111111-1111-4111-8111-111111111111';
const OSD = '22222222-2222-4222-8222-222222222222';
const ACCESS_KEY = 'CLOUDVOLTESTKEY';
const SECRET_KEY = 'secret-of-the-test-user';

export interface RgwOptions {
  /** PEM file of certificate and key: TLS is spoken at `tlsEndpoint`. */
  readonly certificate?: string;
  /** A storage class besides STANDARD. */
  readonly storageClass?: string;
  /** Base64 of the 256-bit key that objects are encrypted with which ask for AES256. */
  readonly encryptionKey?: string;
}

export interface RgwServer extends S3Server {
  /** `host:port` with TLS; empty without a certificate. */
  readonly tlsEndpoint: string;
  /** `radosgw-admin` with these arguments: what it printed. */
  admin(...args: string[]): Promise<string>;
}

/** Requests to names below it are for the bucket of that name. */
export const RGW_DNS_NAME = 's3.test';

/**
 * A Ceph cluster of one monitor, one OSD in memory and an object gateway, without authentication
 * among them, on ports of 127.0.0.1.
 */
export async function startRgw(rgwOptions: RgwOptions = {}): Promise<RgwServer> {
  const { certificate, storageClass, encryptionKey } = rgwOptions;
  const folder = await mkdtemp(join(tmpdir(), 'cloudvol-rgw-'));
  const processes = await ServerProcesses.open(folder);
  const [monitor, port, tlsPort] = [await freePort(), await freePort(), await freePort()];
  const tls = certificate
    ? ` ssl_endpoint=127.0.0.1:${tlsPort} ssl_certificate=${certificate}`
    : '';
  const conf = join(folder, 'ceph.conf');
  const encryption = encryptionKey
    ? `rgw crypt require ssl = false\nrgw crypt default encryption key = ${encryptionKey}\n`
    : '';
  const frontends = `rgw frontends = beast endpoint=127.0.0.1:${port}${tls}\n`;
  await writeFile(conf, `${configuration(folder, monitor)}${frontends}${encryption}`);
  const admin = (...args: string[]) => processes.run('radosgw-admin', ['-c', conf, ...args]);
  await Promise.all(['mon', 'osd', 'rgw'].map((name) => mkdir(join(folder, name))));
  try {
    await startCluster(processes, conf, monitor);
    const user = ['--uid', 'test', '--display-name', 'test', '--max-buckets', '0'];
    const keys = ['--access-key', ACCESS_KEY, '--secret-key', SECRET_KEY];
    await admin('user', 'create', ...user, ...keys);
    if (storageClass !== undefined) await addStorageClass(admin, storageClass);
    await processes.start('rgw', 'radosgw', ['-c', conf, '-n', 'client.admin', '-f']);
    await untilAnswers(`http://127.0.0.1:${port}/`, processes);
  } catch (error) {
    await processes.stop();
    throw error;
  }
  const endpoint = `127.0.0.1:${port}`;
  return {
    endpoint,
    tlsEndpoint: certificate ? `127.0.0.1:${tlsPort}` : '',
    admin,
    accessKey: ACCESS_KEY,
    secretKey: SECRET_KEY,
    target: (bucket) => ({
      provider: 's3',
      bucket,
      create: true,
      endpoints: [endpoint],
      disableSsl: true,
      accessKey: ACCESS_KEY,
      secretKey: SECRET_KEY,
    }),
    stop: () => processes.stop(),
  };
}

async function startCluster(processes: ServerProcesses, conf: string, monitor: number) {
  const map = join(processes.folder, 'monmap');
  const address = `[v2:127.0.0.1:${monitor}]`;
  await processes.run('monmaptool', ['--create', '--fsid', FSID, '--addv', 'a', address, map]);
  await processes.run('ceph-mon', ['--mkfs', '-i', 'a', '-c', conf, '--monmap', map]);
  await processes.start('mon', 'ceph-mon', ['-i', 'a', '-c', conf, '-f']);
  // Waits for the monitor by itself.
  await processes.run('ceph', ['-c', conf, 'osd', 'new', OSD]);
  await processes.run('ceph-osd', ['-i', '0', '-c', conf, '--mkfs', '--osd-uuid', OSD]);
  await processes.start('osd', 'ceph-osd', ['-i', '0', '-c', conf, '-f']);
}

async function addStorageClass(admin: RgwServer['admin'], storageClass: string): Promise<void> {
  const options = ['--placement-id', 'default-placement', '--storage-class', storageClass];
  await admin('zonegroup', 'placement', 'add', '--rgw-zonegroup', 'default', ...options);
  const pool = ['--data-pool', 'default.rgw.other.data'];
  await admin('zone', 'placement', 'add', '--rgw-zone', 'default', ...options, ...pool);
}

function configuration(folder: string, monitor: number): string {
  return `[global]
fsid = ${FSID}
mon host = v2:127.0.0.1:${monitor}
auth cluster required = none
auth service required = none
auth client required = none
ms mon client mode = crc
ms mon cluster mode = crc
ms mon service mode = crc
public network = 127.0.0.0/8
cluster network = 127.0.0.0/8
run dir = ${folder}
admin socket =
log file = ${folder}/$name.log
mon data = ${folder}/mon
mon cluster log file = ${folder}/cluster.log
osd data = ${folder}/osd
osd objectstore = memstore
memstore device bytes = 4294967296
osd pool default size = 1
osd pool default min size = 1
mon allow pool size one = true
mon warn on pool no redundancy = false
osd crush chooseleaf type = 0
osd pool default pg autoscale mode = off
osd pool default pg num = 1
osd pool default pgp num = 1
mon max pg per osd = 1000
osd heartbeat grace = 600
rgw dns name = ${RGW_DNS_NAME}
rgw data = ${folder}/rgw
rgw run sync thread = false
rgw enable usage log = false
`;
}
