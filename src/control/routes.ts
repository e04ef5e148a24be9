/**
 * Every call of the API, as data: what the server listens to and the client sends. No schemas here,
 * so that a command line that starts in milliseconds can import it. Paths follow the OpenStorage
 * SDK's REST gateway where it has them.
 */
export interface Route {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /**
   * `:word` takes the input of that name, percent-encoded; all other inputs travel in the JSON
   * body.
   */
  readonly path: string;
  /** How long a client waits for the answer, or for the first of one that streams. */
  readonly deadlineMs: number;
  /** The media type of an answer that comes as it is made; without it the answer is one JSON. */
  readonly streams?: 'application/x-ndjson' | 'application/x-tar';
}

/** Calls that look at the agent's own memory and database. */
const QUICK_MS = 30_000;

/**
 * Calls that make file systems, mount, sync, or ask a store: slow disks and stores take minutes.
 */
const SLOW_MS = 600_000;

/** A sweep of a large bucket: what it does not get done, the agent does by itself. */
const SWEEP_MS = 3_600_000;

const get = (path: string, deadlineMs = QUICK_MS) => ({ method: 'GET', path, deadlineMs }) as const;
const post = (path: string, deadlineMs: number) => ({ method: 'POST', path, deadlineMs }) as const;
const put = (path: string, deadlineMs: number) => ({ method: 'PUT', path, deadlineMs }) as const;
const del = (path: string) => ({ method: 'DELETE', path, deadlineMs: SLOW_MS }) as const;

export const ROUTES = {
  inspectAgent: get('/v1/agent'),

  createVolume: post('/v1/volumes', SLOW_MS),
  listVolumes: get('/v1/volumes'),
  inspectVolume: get('/v1/volumes/inspect/:volume'),
  deleteVolume: del('/v1/volumes/:volume'),
  attachVolume: post('/v1/mountattach/attach', SLOW_MS),
  detachVolume: post('/v1/mountattach/detach', SLOW_MS),
  mountVolume: post('/v1/mountattach/mount', SLOW_MS),
  unmountVolume: post('/v1/mountattach/unmount', SLOW_MS),
  hydrateVolume: put('/v1/volumes/hydration/:volume', SLOW_MS),

  createCredential: post('/v1/credentials', SLOW_MS),
  listCredentials: get('/v1/credentials'),
  deleteCredential: del('/v1/credentials/:credential'),
  validateCredential: get('/v1/credentials/validate/:credential', SLOW_MS),
  changePassphrase: put('/v1/credentials/passphrase/:credential', SLOW_MS),
  deleteCredentialReferences: del('/v1/credentials/references/:credential'),

  inspectSecrets: get('/v1/secrets/verify'),
  loginSecrets: post('/v1/secrets/login', QUICK_MS),
  logoutSecrets: post('/v1/secrets/logout', QUICK_MS),
  putSecret: put('/v1/secrets/kvdb/:name', QUICK_MS),
  getSecret: get('/v1/secrets/kvdb/:name'),
  listSecrets: get('/v1/secrets/kvdb'),

  backup: post('/v1/cloudbackups', SLOW_MS),
  restore: post('/v1/cloudbackups/restore', SLOW_MS),
  listCloudsnaps: post('/v1/cloudbackups/enumeratewithfilters', SLOW_MS),
  deleteCloudsnap: del('/v1/cloudbackups/backup/:cloudsnap'),
  pruneCloudsnaps: post('/v1/cloudbackups/prune', SLOW_MS),
  sweepCloudsnaps: post('/v1/cloudbackups/sweep', SWEEP_MS),
  verifyCloudsnap: post('/v1/cloudbackups/verify', SLOW_MS),
  inspectVerification: get('/v1/cloudbackups/verify/:task'),
  catalogCloudsnap: {
    ...post('/v1/cloudbackups/catalog', SLOW_MS),
    streams: 'application/x-ndjson',
  },
  extractCloudsnap: {
    ...post('/v1/cloudbackups/extract', SLOW_MS),
    streams: 'application/x-tar',
  },
  listTasks: post('/v1/cloudbackups/status', QUICK_MS),
  inspectTask: get('/v1/cloudbackups/status/:task'),
  waitForTask: post('/v1/cloudbackups/wait', QUICK_MS),
  stopTask: post('/v1/cloudbackups/statechange', QUICK_MS),
  createSchedule: post('/v1/cloudbackups/schedules', QUICK_MS),
  updateSchedule: put('/v1/cloudbackups/schedules/:schedule', QUICK_MS),
  listSchedules: post('/v1/cloudbackups/schedules/enumerate', QUICK_MS),
  deleteSchedule: del('/v1/cloudbackups/schedules/:schedule'),
} as const satisfies Record<string, Route>;

export type RouteName = keyof typeof ROUTES;
/** Calls whose answers stream. */
export type StreamName = {
  [Name in RouteName]: (typeof ROUTES)[Name] extends { readonly streams: string } ? Name : never;
}[RouteName];
/** Calls whose answer is one JSON. */
export type CallName = Exclude<RouteName, StreamName>;

/** Longest wait that `waitForTask` grants in one call: well under its deadline. */
export const MAX_WAIT_MS = 20_000;

/** Names of the inputs that travel in the path. */
export function pathInputs({ path }: Route): string[] {
  return [...path.matchAll(/:(\w+)/g)].map((match) => match[1] ?? '');
}
