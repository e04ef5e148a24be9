import { join } from 'node:path';
import { mkdirSync } from 'node:fs';
import { readJsonLines } from '../../src/cli/read-json-lines.ts';
import type { Api, CatalogEnd, CatalogHead, FileEntryView } from '../../src/control/schemas.ts';
import { readLoopDevices } from '../../src/demo/reaper/loop-devices.ts';
import { readMounts } from '../../src/demo/reaper/mount-table.ts';
import type { TestAgent } from '../support/agent.ts';
import { runCommand } from '../support/run-command.ts';

type Input = Api['catalogCloudsnap']['input'];

export interface Catalog {
  readonly head: CatalogHead;
  readonly entries: readonly FileEntryView[];
  readonly end: CatalogEnd;
}

/** A catalog as the agent answers it. */
export async function catalogOf(agent: TestAgent, input: Input): Promise<Catalog> {
  const entries: FileEntryView[] = [];
  let head: CatalogHead | undefined;
  let end: CatalogEnd | undefined;
  const lines = readJsonLines(agent.client.stream('catalogCloudsnap', input));
  for await (const line of lines as AsyncIterable<Api['catalogCloudsnap']['output']>) {
    if ('catalog' in line) head = line.catalog;
    else if ('entry' in line) entries.push(line.entry);
    else end = line.end;
  }
  if (!head || !end) throw new Error('the catalog lacks its head or its end');
  return { head, entries, end };
}

/** Mounts a volume below the agent's folder. */
export async function mountVolume(agent: TestAgent, volume: string): Promise<string> {
  const path = join(agent.directory, 'mnt', volume);
  mkdirSync(path, { recursive: true });
  await agent.client.call('mountVolume', { volume, path });
  return path;
}

/** Files of every kind that a file system holds, the awkward ones among them. */
const FILL = String.raw`
cd "$1"
mkdir -p deep/er/and/deeper empty bin
cp -a /usr/share/common-licenses licenses
printf hello > plain; chown 1234:5678 plain; chmod 4751 plain
ln plain hard; ln -s /etc/passwd absolute; ln -s ../plain deep/relative; ln -s nowhere dangling
mkfifo fifo; mknod null c 1 3
truncate -s 20M sparse; printf end >> sparse
printf x > "$(printf 'odd\nname\033[31m')"; printf y > "$(printf 'latin\351')"
printf z > '-dash \back'
setfattr -n user.note -v kept plain
touch -d '2001-02-03 04:05:06.123456789' bin/old; chmod 1777 bin; chmod 555 empty
for i in $(seq 1 300); do printf "$i" > "deep/er/file-$i"; done
touch -d '1999-12-31 23:59:59.5' deep deep/er
sync -f .
`;

export async function fill(agent: TestAgent, root: string): Promise<void> {
  await runCommand(agent.reaper, 'sh', ['-ec', FILL, 'sh', root]);
}

const TYPES: Readonly<Record<string, string>> = {
  f: 'file',
  d: 'directory',
  l: 'symlink',
  p: 'fifo',
  c: 'character-device',
};
const FIELDS = ['path', 'type', 'sizeBytes', 'mode', 'uid', 'gid', 'links', 'modified', 'target'];

/** The same facts as `find` tells them, in the order of a catalog. */
export async function found(agent: TestAgent, root: string): Promise<Record<string, unknown>[]> {
  const format = String.raw`/%P\0%y\0%s\0%m\0%U\0%G\0%n\0%T@\0%l\0`;
  const text = await runCommand(agent.reaper, 'find', [root, '-mindepth', '1', '-printf', format]);
  const words = text.split('\0');
  const files: Record<string, unknown>[] = [];
  for (let at = 0; at + FIELDS.length <= words.length; at += FIELDS.length) {
    const [path = '', type = '', size, mode = '', uid, gid, links, modified = '', target = ''] =
      words.slice(at, at + FIELDS.length);
    files.push({
      path,
      type: TYPES[type] ?? type,
      sizeBytes: Number(size),
      mode: mode.padStart(4, '0'),
      uid: Number(uid),
      gid: Number(gid),
      links: Number(links),
      modified: isoTime(modified),
      ...(type === 'l' && { target }),
    });
  }
  return files.toSorted((a, b) => compare(String(a['path']), String(b['path'])));
}

/** What `find` cannot tell is left out. */
export function comparable(entries: readonly FileEntryView[]): Record<string, unknown>[] {
  return entries
    .map(({ pathBase64: _path, targetBase64: _target, ...entry }) => entry)
    .toSorted((a, b) => compare(a.path, b.path));
}

function compare(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

/** `find` prints seconds with ten decimals, the last of them always 0. */
function isoTime(seconds: string): string {
  const [whole = '', fraction = ''] = seconds.split('.');
  const date = new Date(Number(whole) * 1000).toISOString();
  return date.replace('.000Z', `.${fraction.slice(0, 9)}Z`);
}

/** What an agent has on this host to look into cloudsnaps. */
export function catalogTraces(agent: TestAgent): string[] {
  const place = join(agent.directory, 'run/catalog/');
  return [
    ...readMounts().flatMap(({ path }) => (path.startsWith(place) ? [path] : [])),
    ...readLoopDevices().flatMap(({ backing }) => (backing.startsWith(place) ? [backing] : [])),
  ];
}

/** The same without what a folder's own file system decides. */
export function withoutFolderSizes(files: readonly Record<string, unknown>[]) {
  return files.map(({ sizeBytes, links, ...file }) =>
    file['type'] === 'directory' ? file : { ...file, sizeBytes, links },
  );
}
