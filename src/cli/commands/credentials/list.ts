import type { CredentialView } from '../../../control/schemas.ts';
import { defineCommand } from '../../command.ts';

type Column = readonly [title: string, cell: (credential: CredentialView) => string];

interface Table {
  readonly provider: string;
  readonly title: string;
  readonly columns: readonly Column[];
}

/** As the original prints what is not there. */
const NONE = '<nil>';

const FIRST: readonly Column[] = [
  ['UUID', ({ id }) => id],
  ['NAME', ({ name }) => name],
];
const ENCRYPTION: Column = ['ENCRYPTION', ({ encrypted }) => String(encrypted)];
/** Bytes per second over 1024, as the original counts. */
const THROUGHPUT: Column = [
  'WRITE THROUGHPUT (KBPS)',
  ({ writeBytesPerSecond: speed }) => (speed === null ? NONE : String(Math.round(speed / 1024))),
];
const LAST: readonly Column[] = [
  ENCRYPTION,
  ['BUCKET', ({ bucket }) => bucket ?? NONE],
  THROUGHPUT,
];

const TABLES: readonly Table[] = [
  {
    provider: 's3',
    title: 'S3 Credentials',
    columns: [
      ...FIRST,
      ['REGION', ({ region }) => region ?? NONE],
      ['ENDPOINT', ({ endpoints }) => endpoints.join(',') || NONE],
      ['ACCESS KEY', ({ accessKey }) => accessKey ?? NONE],
      ['SSL ENABLED', ({ ssl }) => String(ssl)],
      ...LAST,
    ],
  },
  {
    provider: 'google',
    title: 'Google Credentials',
    columns: [...FIRST, ['PROJECT ID', ({ projectId }) => projectId ?? NONE], ...LAST],
  },
  {
    provider: 'azure',
    title: 'Azure Credentials',
    columns: [...FIRST, ['ACCOUNT NAME', ({ accountName }) => accountName ?? NONE], ...LAST],
  },
  {
    provider: 'directory',
    title: 'Directory Credentials',
    columns: [...FIRST, ['PATH', ({ path }) => path ?? NONE], ENCRYPTION, THROUGHPUT],
  },
];

export const command = defineCommand({
  examples: ['cloudvol credentials list'],
  arguments: [],
  options: {},
  async run({ client, output, json, signal }) {
    const credentials = await client.call('listCredentials', {}, { signal });
    if (json) return output.json(credentials);
    if (credentials.length === 0) return output.line('No credentials configured');
    const shown = TABLES.map((table) => ({
      ...table,
      rows: credentials.filter(({ provider }) => provider === table.provider),
    })).filter(({ rows }) => rows.length > 0);
    for (const [index, { title, columns, rows }] of shown.entries()) {
      if (index > 0) output.line('');
      output.line(title);
      output.table(
        columns.map(([name]) => name),
        rows.map((credential) => columns.map(([, cell]) => cell(credential))),
      );
    }
  },
});
