import { formatByteSize } from '../../../base/byte-size.ts';
import type { Api, CatalogEnd, CatalogHead, FileEntryView } from '../../../control/schemas.ts';
import { defineCommand, type CommandContext } from '../../command.ts';
import { escapeName } from '../../escape-name.ts';
import { formatTime } from '../../format.ts';
import { given } from '../../given.ts';
import { parseCount } from '../../parse-count.ts';
import { readJsonLines } from '../../read-json-lines.ts';
import { StreamedTable } from '../../streamed-table.ts';

const COLUMNS = ['PATH', 'SIZE', 'MODE', 'MTIME', 'OWNER', 'TYPE', 'TARGET'];

export const command = defineCommand({
  examples: [
    'cloudvol cloudsnap catalog --snap ID',
    'cloudvol cloudsnap catalog --snap ID --path /home --depth 1',
    'cloudvol cloudsnap catalog --snap ID --cred-id minio --json',
  ],
  arguments: [],
  options: {
    snap: { kind: 'text', alias: ['s'], about: 'Cloud-snap id to look into', required: true },
    'cred-id': { kind: 'text', alias: ['cr'], about: 'Cloud credentials ID (or name)' },
    path: { kind: 'text', about: 'folder (or file) in the backup [/]' },
    depth: { kind: 'text', about: 'levels of folders below it; 1: what lies in it [all]' },
    max: { kind: 'text', alias: ['x'], about: 'list no more files than that [100000]' },
  },
  async run(context, options) {
    const { client, signal, json } = context;
    const { depth, max } = options;
    const input = {
      cloudsnap: options.snap,
      ...given({
        credential: options['cred-id'],
        path: options.path,
        depth: depth === undefined ? undefined : parseCount('depth', depth),
        max: max === undefined ? undefined : parseCount('max', max),
      }),
    };
    const lines = readJsonLines(client.stream('catalogCloudsnap', input, { signal }));
    const print = json ? jsonPrinter(context) : tablePrinter(context);
    for await (const line of lines as AsyncIterable<Api['catalogCloudsnap']['output']>) {
      if ('catalog' in line) print.head(line.catalog);
      else if ('entry' in line) print.entry(line.entry);
      else print.end(line.end);
    }
  },
});

interface Printer {
  head(head: CatalogHead): void;
  entry(entry: FileEntryView): void;
  end(end: CatalogEnd): void;
}

function tablePrinter(context: CommandContext): Printer {
  const { output } = context;
  const table = new StreamedTable(output, COLUMNS);
  return {
    head({ fileSystem, content, volumeName }) {
      if (fileSystem !== 'none') return;
      const holds = content === '' ? 'no file system that is known here' : content;
      output.note(`volume ${volumeName} holds ${holds}: it is listed as one file`);
    },
    entry: (entry) => table.row(rowOf(entry, context)),
    end({ entries, isTruncated }) {
      table.flush();
      if (!isTruncated) return;
      output.note(
        `the list ends after ${entries} files, and there are more: ` +
          'name a folder with --path, limit --depth, or raise --max',
      );
    },
  };
}

/** One object, printed as its entries come: `{…head, "entries": […], …end}`. */
function jsonPrinter({ output }: CommandContext): Printer {
  let last: string | undefined;
  const entryLine = (comma: string) => {
    if (last !== undefined) output.line(`    ${last}${comma}`);
  };
  return {
    head(head) {
      const text = JSON.stringify(head, null, 2);
      output.line(`${text.slice(0, -'\n}'.length)},\n  "entries": [`);
    },
    entry(entry) {
      entryLine(',');
      last = JSON.stringify(entry);
    },
    end({ isTruncated }) {
      entryLine('');
      output.line(`  ],\n  "isTruncated": ${isTruncated}\n}`);
    },
  };
}

function rowOf(entry: FileEntryView, context: CommandContext): string[] {
  const { path, type, sizeBytes, mode, uid, gid, modified, target } = entry;
  return [
    escapeName(path),
    formatByteSize(sizeBytes),
    mode,
    formatTime(modified, context),
    `${uid}:${gid}`,
    type,
    target === undefined ? '' : escapeName(target),
  ];
}
