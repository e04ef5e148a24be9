import { mkdtemp, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AzureTarget } from '../../../src/store/store-target.ts';
import { eventually } from '../eventually.ts';
import { cacheFolder } from './cache-folder.ts';
import { ServerProcesses } from './server.ts';

/** The emulator's well-known account (learn.microsoft.com: Azurite). */
const ACCOUNT = 'devstoreaccount1';
const KEY =
  'Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==';
/** Loading it takes a busy machine seconds. */
const START_LIMIT_MS = 120_000;

export interface AzuriteOptions {
  /** PEM files: the server speaks TLS. */
  readonly tls?: { readonly certificate: string; readonly key: string };
}

export interface AzuriteServer {
  /** URL of the account. */
  readonly endpoint: string;
  readonly accountName: string;
  readonly accountKey: string;
  /** A container of it that is made when it is missing. */
  target(container: string): AzureTarget;
  stop(): Promise<void>;
}

/** Azurite 3.37.0 in memory, at a port of 127.0.0.1 that the kernel chose. */
export async function startAzurite({ tls }: AzuriteOptions = {}): Promise<AzuriteServer> {
  const folder = await mkdtemp(join(tmpdir(), 'cloudvol-azurite-'));
  const processes = await ServerProcesses.open(folder);
  const program = join(cacheFolder('azurite-3.37.0'), 'node_modules/azurite/dist/src/blob/main.js');
  const options = ['--inMemoryPersistence', '--skipApiVersionCheck', '--disableTelemetry'];
  const tlsOptions = tls ? ['--cert', tls.certificate, '--key', tls.key] : [];
  const args = [program, '--blobHost', '127.0.0.1', '--blobPort', '0', ...options, ...tlsOptions];
  await processes.start('azurite', process.execPath, args);
  try {
    const address = await eventually(
      'Azurite listens',
      async () => {
        const output = await readFile(join(folder, 'azurite.out'), 'utf8');
        if (!processes.running) throw new Error(`Azurite ended: ${output}`);
        return /successfully listens on (https?:\/\/127\.0\.0\.1:\d+)/.exec(output)?.[1];
      },
      START_LIMIT_MS,
    );
    const endpoint = `${address}/${ACCOUNT}`;
    return {
      endpoint,
      accountName: ACCOUNT,
      accountKey: KEY,
      target: (bucket) => ({
        provider: 'azure',
        bucket,
        create: true,
        endpoint,
        accountName: ACCOUNT,
        accountKey: KEY,
      }),
      stop: () => processes.stop(),
    };
  } catch (error) {
    await processes.stop();
    throw error;
  }
}
