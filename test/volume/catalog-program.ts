/**
 * An agent in miniature, for tests that kill it: volumes of a state directory with the real
 * frontend. Orders come as lines on stdin (`<name> <json>`), each is answered by one on stdout.
 */
import { createInterface } from 'node:readline';
import { systemClock } from '../../src/base/clock.ts';
import { createLog } from '../../src/base/log.ts';
import { seededRandom } from '../../src/base/seeded-random.ts';
import { FuseFrontend } from '../../src/frontend/fuse.ts';
import { loadNative } from '../../src/native.ts';
import { readBootId } from '../../src/volume/boot-id.ts';
import { VolumeCatalog } from '../../src/volume/volume-catalog.ts';
import type { Volume } from '../../src/volume/volume.ts';

/** The least that mkfs.xfs takes. */
const SIZE_BYTES = 320 << 20;

const [stateDir = '', liveDir = '', runDir = ''] = process.argv.slice(2);
const log = createLog((line) => process.stderr.write(`${line}\n`));
const catalog = await VolumeCatalog.open({
  stateDir,
  liveDir,
  native: loadNative(),
  frontend: new FuseFrontend({ directory: runDir, log }),
  bootId: readBootId(),
  maxSideBytes: 2 ** 30,
  clock: systemClock,
  log,
  openBacking: () => {
    throw new Error('no volume here has a source');
  },
});

/** Writes for ever at random places; tells when the first writes are done. */
function storm(volume: Volume): Promise<void> {
  const random = seededRandom(process.pid);
  const { sizeBytes } = volume.geometry;
  const { promise: begun, resolve } = Promise.withResolvers<void>();
  const writer = async () => {
    for (let i = 0; ; i++) {
      const length = 1 + random.below(20_000);
      await volume.write(random.below(sizeBytes - length), random.bytes(length));
      if (i === 20) resolve();
    }
  };
  for (let i = 0; i < 4; i++) void writer();
  return begun;
}

type Orders = Readonly<Record<string, (argument: string) => unknown>>;
const volume = () => catalog.find('v');
const orders: Orders = {
  /** `<file system>` or `<file system>:<bytes>` */
  create: (argument) => {
    const [fileSystem = '', sizeBytes = SIZE_BYTES] = argument.split(':');
    return catalog.create({
      name: 'v',
      sizeBytes: Number(sizeBytes),
      blockBytes: 65_536,
      fileSystem: fileSystem === 'ext4' || fileSystem === 'xfs' ? fileSystem : 'none',
      labels: {},
    });
  },
  attach: (loop) => volume().attach({ loop: loop === 'loop' }),
  delete: () => catalog.delete(volume()),
  detach: () => volume().detach(),
  mount: (directory) => volume().mount(directory),
  unmount: () => volume().unmount(),
  inspect: () => undefined,
  storm: () => storm(volume()),
  close: () => catalog.close(),
};

async function view() {
  if (catalog.list().length === 0) return { status: 'none' };
  const report = await volume().inspect();
  return { ...report, status: volume().status };
}

async function answer(line: string): Promise<string> {
  const [name = '', argument = ''] = line.split(' ');
  try {
    await orders[name]?.(argument);
    return JSON.stringify(await view());
  } catch (error) {
    return JSON.stringify({ ...(await view()), error: wordsOf(error) });
  }
}

function wordsOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return 'code' in error ? `${String(error.code)}: ${error.message}` : error.message;
}

process.stdout.write('ready\n');
for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${await answer(line)}\n`);
}
