import type { CommandGroup } from './command-entry.ts';

const KVDB: CommandGroup = {
  name: 'kvdb',
  summary: 'The secret store that comes with the agent',
  verbs: [
    {
      name: 'login',
      summary: 'Unlock the secret store; the first login sets its passphrase',
      load: () => import('../commands/secrets/kvdb/login.ts'),
    },
    {
      name: 'logout',
      summary: 'Lock the secret store',
      load: () => import('../commands/secrets/kvdb/logout.ts'),
    },
    {
      name: 'put-secret',
      summary: 'Keep a secret under a name; one of that name is replaced',
      load: () => import('../commands/secrets/kvdb/put-secret.ts'),
    },
    {
      name: 'get-secret',
      summary: 'Print a secret',
      load: () => import('../commands/secrets/kvdb/get-secret.ts'),
    },
    {
      name: 'list-secrets',
      summary: 'List the names of the secrets',
      load: () => import('../commands/secrets/kvdb/list-secrets.ts'),
    },
    {
      name: 'status',
      summary: 'Say whether the secret store is locked',
      load: () => import('../commands/secrets/kvdb/status.ts'),
    },
  ],
};

export const SECRETS_GROUP: CommandGroup = {
  name: 'secrets',
  summary: 'Manage the secrets that credentials need',
  verbs: [],
  groups: [KVDB],
};
