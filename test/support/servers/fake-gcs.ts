import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { GoogleTarget } from '../../../src/store/store-target.ts';
import { cacheFolder } from './cache-folder.ts';
import { freePort, ServerProcesses, untilAnswers } from './server.ts';

export interface FakeGcsServer {
  /** URL. */
  readonly endpoint: string;
  /** A bucket of it that is made when it is missing. */
  target(bucket: string): GoogleTarget;
  stop(): Promise<void>;
}

/** fake-gcs-server 1.56.1 in memory, without authentication, at a port of 127.0.0.1. */
export async function startFakeGcs(): Promise<FakeGcsServer> {
  const folder = await mkdtemp(join(tmpdir(), 'cloudvol-gcs-'));
  const processes = await ServerProcesses.open(folder);
  const program = join(cacheFolder('fake-gcs-server-1.56.1'), 'fake-gcs-server');
  const port = await freePort();
  const address = ['-scheme', 'http', '-host', '127.0.0.1', '-port', String(port)];
  await processes.start('gcs', program, [...address, '-backend', 'memory', '-log-level', 'error']);
  const endpoint = `http://127.0.0.1:${port}`;
  try {
    await untilAnswers(`${endpoint}/storage/v1/b?project=test`, processes);
  } catch (error) {
    await processes.stop();
    throw error;
  }
  return {
    endpoint,
    target: (bucket) => ({ provider: 'google', bucket, create: true, endpoint, projectId: 'test' }),
    stop: () => processes.stop(),
  };
}
