import { formatByteSize } from '../../../base/byte-size.ts';
import { CloudvolError } from '../../../base/errors.ts';
import type { TaskView } from '../../../control/schemas.ts';
import { defineCommand, type CommandContext } from '../../command.ts';
import { EXIT, type ExitCode } from '../../exit-codes.ts';
import { followTask, reportEnd } from '../../follow-task.ts';
import { given } from '../../given.ts';
import { printable } from '../../output.ts';
import { parseCount } from '../../parse-count.ts';
import { taskJson } from '../../task-table.ts';

export const command = defineCommand({
  examples: [
    'cloudvol cloudsnap verify --snap ID --wait',
    'cloudvol cloudsnap verify --src db --percent 5',
  ],
  needsOne: true,
  arguments: [],
  options: {
    snap: { kind: 'text', alias: ['s'], about: 'Cloud-snap id to verify' },
    src: { kind: 'text', about: 'all cloudsnaps of this volume, by name or id' },
    all: { kind: 'flag', alias: ['a'], about: 'with --src: of every cluster' },
    percent: { kind: 'text', alias: ['p'], about: 'how much of the blocks to read [100]' },
    seed: { kind: 'text', about: 'repeat the sample of an earlier verification' },
    'cred-id': { kind: 'text', alias: ['cr'], about: 'Cloud credentials ID (or name)' },
    wait: { kind: 'flag', about: 'follow the verification and print what it found' },
  },
  async run(context, options) {
    const { client, output, json, signal } = context;
    const credential = given({ credential: options['cred-id'] });
    const { percent, seed } = options;
    const sample = given({
      percent: percent === undefined ? undefined : parsePercent(percent),
      seed: seed === undefined ? undefined : parseSeed(seed),
    });
    const started: TaskView[] = [];
    for (const cloudsnap of await cloudsnapsOf(context, options, credential)) {
      const input = { cloudsnap, ...credential, ...sample };
      const task = await client.call('verifyCloudsnap', input, { signal });
      if (!json) output.line(`Cloudsnap verify started successfully with id: ${task.id}`);
      started.push(task);
    }
    if (!options.wait) {
      if (json)
        output.json(options.src === undefined ? taskJson(started[0]!) : started.map(taskJson));
      return EXIT.ok;
    }
    let code: ExitCode = EXIT.ok;
    for (const task of started) code = Math.max(code, await finish(task.id, context)) as ExitCode;
    return code;
  },
});

async function cloudsnapsOf(
  { client, signal }: CommandContext,
  options: {
    readonly snap?: string | undefined;
    readonly src?: string | undefined;
    readonly all: boolean;
  },
  credential: { readonly credential?: string },
): Promise<readonly string[]> {
  const { snap, src, all } = options;
  if ((snap === undefined) === (src === undefined)) {
    throw new CloudvolError('usage/missing-argument', 'a cloudsnap or a volume has to be named', {
      hint: 'cloudvol cloudsnap verify --snap ID, or --src VOLUME',
    });
  }
  if (snap !== undefined) return [snap];
  const filter = { ...given({ source: src }), allClusters: all, ...credential };
  const found = await client.call('listCloudsnaps', filter, { signal });
  if (found.length > 0) return found.map(({ id }) => id);
  throw new CloudvolError('cloudsnap/not-found', `there is no cloudsnap of volume ${src}`, {
    hint: 'cloudvol cloudsnap list shows those there are',
  });
}

async function finish(id: string, context: CommandContext): Promise<ExitCode> {
  const { client, output, json, signal } = context;
  const task = await followTask(id, context);
  const isDamaged = task.result['errorCode'] === 'cloudsnap/corrupt';
  if (task.state !== 'Done' && !isDamaged) return reportEnd(task, context);
  const report = await client.call('inspectVerification', { task: id }, { signal });
  if (json) {
    output.jsonLine(report);
    return isDamaged ? EXIT.corrupt : EXIT.ok;
  }
  const read = `${report.blocksRead} of ${report.blocks} blocks`;
  const sizes = `${formatByteSize(report.bytesRead)} in ${report.packs} packs`;
  const sample = report.percent === 100 ? '' : `, sample ${report.seed}`;
  output.line(`${report.cloudsnapId}: read ${read} (${sizes}${sample}), ${report.pages} pages`);
  if (isDamaged) for (const sentence of task.info) output.line(printable(sentence));
  else output.line('No damage found');
  return isDamaged ? EXIT.corrupt : EXIT.ok;
}

function parsePercent(text: string): number {
  const percent = parseCount('percent', text);
  if (percent <= 100) return percent;
  throw new CloudvolError('usage/bad-number', `--percent ${text} is more than everything`);
}

/** 32 bits, as the result of a verification has them. */
function parseSeed(text: string): number {
  const seed = /^\d{1,10}$/.test(text) ? Number(text) : Infinity;
  if (seed < 2 ** 32) return seed;
  throw new CloudvolError('usage/bad-number', `--seed ${text} is not the seed of a verification`);
}
