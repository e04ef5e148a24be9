import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';

import type { ExecutionContext } from 'ava';

import { CloudvolError } from '../../src/base/errors.ts';
import { silentLog } from '../../src/base/log.ts';
import { Input } from '../../src/cli/input.ts';
import { Output } from '../../src/cli/output.ts';
import { runCli } from '../../src/cli/run-cli.ts';
import type {
  CloudsnapView,
  CredentialView,
  TaskView,
  VolumeView,
} from '../../src/control/schemas.ts';
import { ControlServer, type Handlers } from '../../src/control/server.ts';
import { fakeHandlers } from '../control/fake-handlers.ts';

export interface CliResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CliLab {
  readonly socketPath: string;
  run(...args: string[]): Promise<CliResult>;
  /** With `text` on the standard input. */
  runWith(text: string, ...args: string[]): Promise<CliResult>;
  /** As Ctrl-C would: ends what runs now. */
  interrupt(): void;
}

/** Commands against a server whose answers the test gives. */
export async function openCliLab(t: ExecutionContext, given: Partial<Handlers>): Promise<CliLab> {
  const directory = mkdtempSync(join(tmpdir(), 'cloudvol-cli-'));
  const socketPath = join(directory, 'agent.sock');
  const server = await ControlServer.open({
    socketPath,
    handlers: fakeHandlers(given),
    log: silentLog,
  });
  t.teardown(async () => {
    await server.close(0);
    rmSync(directory, { recursive: true, force: true });
  });
  const controller = new AbortController();
  return {
    socketPath,
    run: (...args) =>
      runInProcess([...args, '--socket', socketPath], { signal: controller.signal }),
    runWith: (stdin, ...args) =>
      runInProcess([...args, '--socket', socketPath], { signal: controller.signal, stdin }),
    interrupt: () => controller.abort(new CloudvolError('cli/interrupted', 'interrupted')),
  };
}

export async function runInProcess(
  args: readonly string[],
  { signal = new AbortController().signal, stdin = '', program = 'cloudvol' } = {},
): Promise<CliResult> {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  // Output writes, and asks for isTTY and columns, which a pipe does not have.
  const asStream = (stream: PassThrough) => stream as unknown as NodeJS.WriteStream;
  const output = new Output(asStream(stdout), asStream(stderr));
  const texts = Promise.all([text(stdout), text(stderr)]);
  const pipe = Readable.from([Buffer.from(stdin)]) as unknown as NodeJS.ReadStream;
  const input = new Input(() => pipe, stderr);
  const code = await runCli(args, output, signal, input, program);
  stdout.end();
  stderr.end();
  const [out, err] = await texts;
  return { code, stdout: out, stderr: err };
}

export const TASK_ID = '3f4f0a67-e12a-4d35-81ad-985657757352';
export const SNAP_ID = '2e4d4b67-95d7-481e-aec5-14223ac55170/56706279008755778-725134927222077463';

export function volumeView(change: Partial<VolumeView> = {}): VolumeView {
  return {
    id: '56706279008755778',
    name: 'NewVol',
    sizeBytes: 4 * 2 ** 30,
    blockBytes: 65536,
    blockCount: 65536,
    fileSystem: 'ext4',
    labels: {},
    status: 'attached',
    node: '70.0.9.73',
    path: '/run/cloudvol/volumes/NewVol',
    loopDevice: null,
    mountPath: null,
    presentBlocks: 65536,
    dirtyBlocks: 3,
    absentBlocks: 0,
    localBytes: 4096,
    backing: null,
    hydration: null,
    chains: [],
    ...change,
  };
}

export function taskView(change: Partial<TaskView> = {}): TaskView {
  return {
    id: TASK_ID,
    kind: 'Backup',
    state: 'Active',
    volumeId: '56706279008755778',
    volumeName: 'NewVol',
    cloudsnapId: SNAP_ID,
    credentialId: 'c',
    node: '70.0.73.246',
    bytesTotal: 2 * 2 ** 30,
    bytesDone: 2 ** 30,
    etaSeconds: 10,
    elapsedMs: 10_525,
    created: '2019-01-16T22:27:00.000Z',
    started: '2019-01-16T22:27:00.000Z',
    ended: null,
    info: [],
    result: {},
    ...change,
  };
}

export function cloudsnapView(change: Partial<CloudsnapView> = {}): CloudsnapView {
  return {
    id: SNAP_ID,
    volumeId: '56706279008755778',
    volumeName: 'NewVol',
    clusterId: '2e4d4b67-95d7-481e-aec5-14223ac55170',
    created: '2019-01-17T00:03:59.000Z',
    type: 'Manual',
    status: 'Done',
    taskId: null,
    incremental: false,
    parent: null,
    fullReason: 'first',
    sequence: 1,
    sizeBytes: 4 * 2 ** 30,
    blockBytes: 65536,
    fileSystem: 'ext4',
    labels: {},
    consistency: 'crash',
    statistics: {},
    damagedObjects: 0,
    ...change,
  };
}

export function credentialView(change: Partial<CredentialView> = {}): CredentialView {
  return {
    id: 'af563a4d-afd7-48df-90f7-8e8f9414ff77',
    name: 'mine',
    provider: 'directory',
    path: null,
    bucket: null,
    endpoints: [],
    region: null,
    accessKey: null,
    storageClass: null,
    sse: null,
    accountName: null,
    projectId: null,
    ssl: true,
    encrypted: false,
    created: '2019-01-16T22:27:30.000Z',
    writeBytesPerSecond: null,
    requests: { put: 0, get: 0, head: 0, list: 0, delete: 0 },
    ...change,
  };
}
