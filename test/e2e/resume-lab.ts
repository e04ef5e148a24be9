import { readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import type { TaskView } from '../../src/control/schemas.ts';
import { MAX_WAIT_MS } from '../../src/control/routes.ts';
import { TestAgent } from '../support/agent.ts';
import { eventually } from '../support/eventually.ts';
import { startFaultProxy } from '../support/servers/fault-proxy.ts';
import type { RgwServer } from '../support/servers/rgw.ts';
import { login, said, secretFile } from './cloud-circle.ts';

const LOGIN = 'of the secret store';
/** A pack of small blocks is noted in more bytes than an attempt, and fewer than this twice. */
const NOTED_PACK_BYTES = 5000;

/** One pack on its way through the proxy. */
export interface PackPut {
  readonly key: string;
  readonly bytes: number;
}

/**
 * A real agent, a Ceph gateway, and between them a proxy that lets so many packs through and lets
 * the next ones hang, or breaks every connection.
 */
export class ResumeLab {
  readonly agent: TestAgent;
  /** Packs that came through since the last look. */
  arrived: PackPut[] = [];
  /** How many packs may still pass. */
  #passes = Infinity;
  #isLost = false;
  /** Called when the first pack hangs. */
  #onHang: () => void = () => {};

  private constructor(agent: TestAgent) {
    this.agent = agent;
  }

  static async open(
    t: ExecutionContext,
    server: RgwServer,
    passphrase: string | undefined,
  ): Promise<ResumeLab> {
    const lab = new ResumeLab(await TestAgent.start(t));
    const { agent } = lab;
    const proxy = await startFaultProxy(server.endpoint, ({ method, url = '', headers }) => {
      if (lab.#isLost) return 'reset';
      if (method !== 'PUT' || !url.includes('/pack-')) return undefined;
      if (lab.#passes-- <= 0) {
        lab.#onHang();
        return 'hang';
      }
      const key = url.split('?')[0] ?? '';
      lab.arrived.push({ key, bytes: Number(headers['content-length'] ?? 0) });
      return undefined;
    });
    t.teardown(() => proxy.stop());
    await login(t, agent, LOGIN);
    const file = join(agent.directory, 'login');
    writeFileSync(file, LOGIN, { mode: 0o600 });
    // Of every later start.
    process.env['CLOUDVOL_SECRETS_PASSPHRASE_FILE'] = file;
    t.teardown(() => delete process.env['CLOUDVOL_SECRETS_PASSPHRASE_FILE']);
    const at = `--s3-access-key ${server.accessKey} --s3-endpoint ${proxy.endpoint}`;
    const key = ['--s3-secret-key', secretFile(agent, 'key', server.secretKey)];
    const enc = passphrase === undefined ? [] : ['--enc', secretFile(agent, 'enc', passphrase)];
    const create = `credentials create --provider s3 ${at} --s3-disable-ssl`.split(' ');
    said(t, await agent.cli(...create, ...key, ...enc, 'cloud'));
    return lab;
  }

  /** A network that is there, and as many packs as the agent likes. */
  heal(): void {
    this.#isLost = false;
    this.#passes = Infinity;
  }

  lose(): void {
    this.#isLost = true;
  }

  async begin(volume: string): Promise<string> {
    return (await this.agent.client.call('backup', { volume, credential: 'cloud' })).id;
  }

  /**
   * Starts a backup that brings some packs to the store and no more. Resolves when they are noted
   * and the next ones hang.
   */
  async beginAndHang(volume: string, packs: number): Promise<string> {
    const before = this.#journalBytes();
    const hanging = new Promise<void>((resolve) => (this.#onHang = resolve));
    this.#passes = packs;
    const task = await this.begin(volume);
    await hanging;
    await eventually('the packs that arrived are noted', async () =>
      this.#journalBytes() >= before + packs * NOTED_PACK_BYTES ? true : undefined,
    );
    return task;
  }

  /** The end of a task, whichever it is. */
  async ended(task: string): Promise<TaskView> {
    for (;;) {
      const view = await this.agent.client.call('waitForTask', { task, waitMs: MAX_WAIT_MS });
      if (view.ended !== null) return view;
    }
  }

  /** What came through since the last call. */
  takeArrived(): PackPut[] {
    const taken = this.arrived;
    this.arrived = [];
    return taken;
  }

  #journalBytes(): number {
    const state = join(this.agent.directory, 'state');
    return readdirSync(state, { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('.journal'))
      .reduce((sum, path) => sum + statSync(join(state, path)).size, 0);
  }
}
