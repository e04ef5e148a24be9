import type { Clock } from '../base/clock.ts';
import { CloudvolError } from '../base/errors.ts';
import type { CloudsnapRepository } from '../cloudsnap/cloudsnap-api.ts';
import { isEncrypted, type Credential } from '../secrets/credential.ts';
import type { OpenedStore } from '../store/open-store.ts';
import { validateStore, type StoreCheck, type StoreReport } from '../store/validate-store.ts';

export interface ValidateCredentialOptions {
  readonly openStore: () => Promise<OpenedStore>;
  readonly openRepository: (store: OpenedStore) => Promise<CloudsnapRepository>;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/**
 * Opens a credential's store anew, so that its keys, certificates and bucket are tried as they are
 * now, and checks it through.
 * @throws CloudvolError `secrets/locked`, `secrets/missing`: nothing could be tried
 */
export async function validateCredential(
  credential: Credential,
  { openStore, openRepository, clock, signal }: ValidateCredentialOptions,
): Promise<StoreReport> {
  const connected = await attempt('connect', async () => {
    const store = await openStore();
    return { store, check: okay('connect', connectedWords(credential, store)) };
  });
  const { store } = connected;
  if (!store) return { checks: [connected.check] };
  try {
    const { checks, ...speed } = await validateStore(store, { clock, signal });
    const notes = notesOf(store).map((words) => okay('found out', words));
    const opened = await attempt('cloudsnaps', async () => {
      const found = await (await openRepository(store)).list({}, signal);
      return { check: okay('cloudsnaps', cloudsnapWords(credential, found.length)) };
    });
    return { checks: [connected.check, ...checks, ...notes, opened.check], ...speed };
  } finally {
    await store.close();
  }
}

interface Attempt {
  readonly check: StoreCheck;
  readonly store?: OpenedStore;
}

async function attempt(name: string, work: () => Promise<Attempt>): Promise<Attempt> {
  try {
    return await work();
  } catch (error) {
    // Without its secrets nothing can be said about a store.
    if (!(error instanceof CloudvolError) || error.code.startsWith('secrets/')) throw error;
    const words = error.hint ? `${error.message}: ${error.hint}` : error.message;
    return { check: { name, outcome: 'failed', words } };
  }
}

function okay(name: string, words: string): StoreCheck {
  return { name, outcome: 'ok', words };
}

function connectedWords({ settings }: Credential, { location }: OpenedStore): string {
  const ca = settings.provider !== 'directory' && settings.ca !== undefined;
  return ca
    ? `${location} answers, with certificates of the given authority`
    : `${location} answers`;
}

/** What a store cannot do is said in its own words; of one that can do all, the checks tell. */
function notesOf({ capabilities }: OpenedStore): readonly string[] {
  const { conditionalPut, batchDelete, notes = [] } = capabilities;
  return conditionalPut && batchDelete > 1 ? [] : notes;
}

function cloudsnapWords(credential: Credential, count: number): string {
  if (count === 0) return 'there is none of this cluster yet';
  const what = `${count} ${count === 1 ? 'cloudsnap' : 'cloudsnaps'} of this cluster`;
  return isEncrypted(credential)
    ? `the passphrase opens ${what}`
    : `${what} can be read without a passphrase`;
}
