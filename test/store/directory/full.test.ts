import { execFile, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import test from 'ava';
import { temporaryFolder } from './temporary-store.ts';

const run = promisify(execFile);
const CHILD = join(import.meta.dirname, 'use-small-disk.ts');
/** The mount lives in the namespace of the child and ends with it, however that ends. */
const SCRIPT = 'mount -t tmpfs -o size=1m,mode=700 tmpfs "$1" && exec "$0" "$2" "$1"';

const canMount = spawnSync('unshare', ['--mount', 'true']).status === 0;
const onSmallDisk = canMount ? test : test.skip;
const missing = canMount ? '' : ' (skipped: needs root and unshare from util-linux)';

onSmallDisk(
  `a full or read-only disk is said so, and costs no object that was there${missing}`,
  async (t) => {
    const path = await temporaryFolder(t);
    const { stdout } = await run(
      'unshare',
      ['--mount', '--propagation', 'private', 'sh', '-c', SCRIPT, process.execPath, path, CHILD],
      { timeout: 60_000 },
    );
    t.deepEqual(JSON.parse(stdout), {
      puts: ['ok', 'ok', 'ok', 'store/full', 'store/full'],
      replaced: 'store/full',
      temporary: [],
      kept: [300_000, 300_000, 300_000, 0, 0],
      afterDelete: 'ok',
      readOnly: { get: 300_000, put: 'store/denied', delete: 'store/denied' },
    });
  },
);
