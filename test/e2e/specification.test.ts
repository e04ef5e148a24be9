/**
 * The command lines that users of the original type, by its name, against a real agent: what they
 * print has the columns, words and messages that scripts read.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { ExecutionContext } from 'ava';
import { followTask } from '../../src/demo/follow-task.ts';
import { TestAgent } from '../support/agent.ts';
import { requires } from '../support/requires.ts';

const PXCTL = join(import.meta.dirname, '../../bin/pxctl');
const UUID = '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}';
const SNAP = `${UUID}/\\d+-\\d+`;
const TIME = '\\w{3}, \\d\\d \\w{3} \\d{4} \\d\\d:\\d\\d:\\d\\d UTC';

/** Help texts: what stands in them, spaces aside. */
const HELP: Readonly<Record<string, readonly string[]>> = {
  'pxctl cloudsnap --help': [
    'NAME: pxctl cloudsnap - Backup and restore snapshots to/from cloud',
    'USAGE: pxctl cloudsnap command [command options] [arguments...]',
    'backup, b Backup a snapshot to cloud',
    'restore, r Restore volume to a cloud snapshot',
    'list, l List snapshot in cloud',
    'status, s Report status of active backups/restores',
    'history, h Show history of cloudsnap operations',
    'stop, st stop an active backup/restore',
    'schedules, sched Manage schedules for cloud-snaps',
    'catalog, t Display catalog for the backup in cloud',
    'delete, d Delete a cloudsnap from the objectstore. This is not reversible.',
    '--help, -h show help',
  ],
  'pxctl credentials create': [
    'NAME: pxctl credentials create - Create a credential for cloud-snap',
    'USAGE: pxctl credentials create [command options] name',
    '--provider value Object store provider type [s3, azure, google',
    '--s3-access-key value',
    '--s3-secret-key value',
    '--s3-region value',
    '--s3-endpoint value Endpoint of the S3 server, in host:port format',
    '--s3-disable-ssl',
    '--azure-account-name value',
    '--azure-account-key value',
    '--google-project-id value',
    '--google-json-key-file value',
    '--encryption-passphrase value, --enc value Passphrase to be used for encrypting data in the',
  ],
  'pxctl cloudsnap backup': [
    'NAME: pxctl cloudsnap backup - Backup a snapshot to cloud',
    'USAGE: pxctl cloudsnap backup [command options]',
    '--volume value, -v value source volume',
    '--full, -f force a full backup',
    '--cred-id value, --cr value Cloud credentials ID to be used for the backup',
  ],
  'pxctl cloudsnap restore': [
    'NAME: pxctl cloudsnap restore - Restore volume to a cloud snapshot',
    'USAGE: pxctl cloudsnap restore [command options]',
    '--snap value, -s value Cloud-snap id',
    '--node value, -n value Optional node ID for provisioning restore volume storage',
    '--cred-id value, --cr value Cloud credentials ID to be used for the restore',
  ],
};

const KEYS = '--s3-access-key AKIAJ7CDD7XGRWVZ7A --s3-secret-key mbJKlOWER4512ONMlwSzXHYA';
const AT = '--s3-region us-east-1 --s3-endpoint s3.amazonaws.com';
const CREATE = 'pxctl credentials create --provider';
/** Understood as they are; without a login no secret part can be kept. */
const CREDENTIALS = [
  `${CREATE} azure --azure-account-name portworxtest --azure-account-key a2V5 my-azure-cred`,
  `${CREATE} s3 ${KEYS} ${AT} --bucket bucket-id my-s3-cred`,
  `${CREATE} s3 ${KEYS} ${AT} my-s3-cred`,
  `${CREATE} google --google-project-id px-test --google-json-key-file px-test.json my-google`,
];

const KEY_FILE = JSON.stringify({
  type: 'service_account',
  project_id: 'px-test',
  client_email: 'px@px-test.iam.gserviceaccount.com',
  private_key: '-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n',
});

const VOLUMES = 'ID NAME SIZE HA SHARED ENCRYPTED IO_PRIORITY SCALE STATUS';
const STATUS = 'NAME SOURCEVOLUME STATE NODE BYTES-PROCESSED TIME-ELAPSED COMPLETED';
const LIST = 'SOURCEVOLUME SOURCEVOLUMEID CLOUD-SNAP-ID CREATED-TIME TYPE STATUS';

interface Said {
  readonly code: number | null;
  /** Standard output and error, with runs of spaces as one, line by line. */
  readonly lines: readonly string[];
}

class Terminal {
  readonly #agent: TestAgent;

  constructor(agent: TestAgent) {
    this.#agent = agent;
  }

  async type(line: string, stdin = ''): Promise<Said> {
    const child = spawn(PXCTL, line.split(/\s+/).slice(1), {
      cwd: this.#agent.directory,
      env: { ...process.env, CLOUDVOL_SOCKET: this.#agent.socketPath },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    child.stdin.on('error', () => {});
    child.stdin.end(stdin);
    const [out, err, [code]] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      once(child, 'exit') as Promise<[number | null]>,
    ]);
    const words = (out + err).trimEnd().split('\n');
    return { code, lines: words.map((each) => each.trim().replaceAll(/\s+/g, ' ')) };
  }

  /** The one line that it prints, and what the pattern caught. */
  async says(t: ExecutionContext, line: string, pattern: string): Promise<string[]> {
    const { code, lines } = await this.type(line);
    t.is(code, 0, lines.join('\n'));
    const match = new RegExp(`^${pattern}$`).exec(lines.join('\n'));
    t.truthy(match, `${line}\n${lines.join('\n')}`);
    return match?.slice(1) ?? [];
  }

  async ended(task: string | undefined): Promise<void> {
    await followTask(this.#agent.client, task ?? '');
  }
}

const hostTest = requires('root', 'fuse');

hostTest('help has the words of the original, by the name that was typed', async (t) => {
  const terminal = new Terminal(await TestAgent.start(t));
  for (const [line, wanted] of Object.entries(HELP)) {
    const { lines } = await terminal.type(line);
    const all = lines.join(' ');
    for (const words of wanted) t.true(all.includes(words), `${line}: ${words}\n${all}`);
  }
});

hostTest(
  'credentials, volumes and cloudsnaps: the lines of the original, its columns',
  async (t) => {
    const agent = await TestAgent.start(t);
    const terminal = new Terminal(agent);
    const says = (line: string, pattern: string) => terminal.says(t, line, pattern);
    writeFileSync(join(agent.directory, 'px-test.json'), KEY_FILE);
    for (const line of CREDENTIALS) {
      const { code, lines } = await terminal.type(line);
      t.regex(lines.join('\n'), /secret store is locked\nhint: cloudvol secrets kvdb login$/, line);
      t.is(code, 77);
    }
    const login = await terminal.type('pxctl secrets kvdb login -', 'passphrase');
    t.is(login.lines[0], 'Successful Login to Secrets Endpoint!');

    for (const [name, size] of [
      ['NewVol', '4G'],
      ['evol', '2G'],
    ]) {
      await says(`pxctl volume create ${name} --size ${size} --fs none`, 'Volume successfully .*');
    }
    await agent.attach('NewVol');
    const shape = (name: string, size: string) => `\\d+ ${name} ${size} GiB 1 no no LOW 1 up -`;
    await says(
      'pxctl volume list',
      [
        VOLUMES,
        `${shape('NewVol', '4')} attached on ${hostname()}`,
        `${shape('evol', '2')} detached`,
      ].join('\n'),
    );

    const [first] = await says(
      'pxctl cloudsnap backup NewVol',
      `Cloudsnap backup started successfully with id: (${UUID})`,
    );
    await terminal.ended(first);
    const done = `(${SNAP}) Backup-Done ${hostname()} \\d+ \\S*s ${TIME}`;
    await says('pxctl cloudsnap status', `${STATUS}\n${first} ${done}`);
    const [snap = ''] = await says(
      `pxctl cloudsnap status -n ${first}`,
      `${STATUS}\n${first} ${done}`,
    );
    await says('pxctl cs status', `${STATUS}\n${first} ${done}`);
    const row = `NewVol \\d+ ${snap} ${TIME} Manual Done`;
    await says('pxctl cloudsnap list', `${LIST}\n${row}`);

    const started = 'Cloudsnap restore started successfully on volume:';
    const restored = `${started} (\\d+) with task name:(${UUID})`;
    const [, restore] = await says(`pxctl cloudsnap restore -s ${snap}`, restored);
    await terminal.ended(restore);
    const { lines } = await terminal.type('pxctl cloudsnap status');
    t.regex(lines.at(-1) ?? '', new RegExp(`^${restore} ${snap} Restore-Done .* ${TIME}$`));

    // A second credential: which one is meant has to be said.
    const [second = ''] = await says(
      `pxctl credentials create --provider directory --path ${agent.directory}/store second`,
      `Credentials created successfully, UUID:(${UUID})`,
    );
    const several = await terminal.type('pxctl cloudsnap backup NewVol');
    t.not(several.code, 0);
    t.regex(several.lines.join('\n'), /default, second/);
    const backup = 'Cloudsnap backup started successfully with id: ';
    const [other] = await says(
      `pxctl cloudsnap backup NewVol --cred-id ${second}`,
      `${backup}(${UUID})`,
    );
    await terminal.ended(other);
    const cred = `pxctl cloudsnap list --cred-id ${second}`;
    const rows = `${LIST}\nNewVol \\d+ ${SNAP} ${TIME} Manual Done`;
    const { clusterId } = await agent.client.call('inspectAgent', {});
    for (const filter of ['--all', '--src NewVol', `--cluster ${clusterId}`]) {
      await says(`${cred} ${filter}`, rows);
    }
    await says(`${cred} --src nobody`, LIST);

    // What others need is not deleted: they are named.
    const [third] = await says('pxctl cs b NewVol --cr default', `${backup}(${UUID})`);
    await terminal.ended(third);
    const needed = await terminal.type(`pxctl cloudsnap delete --snap ${snap} --cred-id default`);
    t.regex(needed.lines.join('\n'), new RegExp(`needed by later ones: ${UUID}/\\d+-\\d+-incr\n`));
    const [incremental] = /\S+-incr/.exec(needed.lines.join('\n')) ?? [];
    for (const each of [incremental, snap]) {
      const gone = await terminal.type(`pxctl cloudsnap  delete --snap ${each} --cred-id default`);
      t.true(gone.lines.includes('Cloudsnap deleted successfully'), gone.lines.join('\n'));
    }
    await says('pxctl cloudsnap list --cred-id default', LIST);
    await agent.client.call('detachVolume', { volume: 'NewVol' });
  },
);
