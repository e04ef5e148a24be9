import { resolve } from 'node:path';

import { CloudvolError } from '../../../base/errors.ts';
import { defineCommand } from '../../command.ts';

export const command = defineCommand({
  arguments: [{ name: 'name', about: 'name of the new credential', required: true }],
  options: {
    provider: {
      kind: 'text',
      about: 'Object store provider type [directory]',
      required: true,
    },
    path: { kind: 'text', about: 'directory of the store; made if it is not there' },
  },
  async run({ client, output, json, signal }, { provider, path }, [name]) {
    if (provider !== 'directory') {
      throw new CloudvolError('usage/bad-provider', `there is no provider ${provider}`, {
        hint: 'use --provider directory',
      });
    }
    if (path === undefined) {
      throw new CloudvolError(
        'usage/missing-option',
        '--path is required for --provider directory',
      );
    }
    const input = { name, provider, path: resolve(path) } as const;
    const credential = await client.call('createCredential', input, { signal });
    if (json) output.json(credential);
    else output.line(`Credentials created successfully, UUID:${credential.id}`);
  },
});
