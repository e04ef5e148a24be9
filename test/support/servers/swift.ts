import { mkdtemp, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '../eventually.ts';
import { ServerProcesses, START_LIMIT_MS, type S3Server } from './server.ts';

const ACCESS_KEY = 'test:cloudvol';
const SECRET_KEY = 'secret-of-the-test-user';
/** Debian's: python3-swift is installed for no other. */
const PYTHON = '/usr/bin/python3';
const PROGRAM = join(import.meta.dirname, 'run-swift.py');

/**
 * OpenStack Swift with its S3 API, at a port of 127.0.0.1 that the kernel chose: a store that can
 * do little. It knows no conditional put and no chunked signatures (501 both).
 */
export async function startSwift(): Promise<S3Server> {
  const folder = await mkdtemp(join(tmpdir(), 'cloudvol-swift-'));
  const processes = await ServerProcesses.open(folder);
  await processes.start('swift', PYTHON, [PROGRAM, folder, SECRET_KEY]);
  try {
    const port = await eventually(
      'Swift listens',
      async () => {
        const output = await readFile(join(folder, 'swift.out'), 'utf8');
        if (!processes.running) throw new Error(`Swift ended: ${output}`);
        return /^port (\d+)$/m.exec(output)?.[1];
      },
      START_LIMIT_MS,
    );
    const endpoint = `127.0.0.1:${port}`;
    return {
      endpoint,
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
  } catch (error) {
    await processes.stop();
    throw error;
  }
}
