import { CloudvolError, hasCode } from '../base/errors.ts';
import type { Clock } from '../base/clock.ts';
import type { ClusterId } from '../base/ids.ts';
import type { Log } from '../base/log.ts';
import { canonicalJson } from '../format/canonical-json.ts';
import { newSnapName, requireSnapName } from '../format/cloudsnap-id.ts';
import { FORMAT_VERSION } from '../format/format-version.ts';
import type { ObjectStore } from '../store/object-store.ts';
import { checkParent, nextSequence } from './chain.ts';
import type { CloudsnapPlan, CloudsnapWriter } from './cloudsnap-api.ts';
import { CloudsnapUpload } from './cloudsnap-upload.ts';
import { IndexReader } from './index-reader.ts';
import type { ManifestCatalog } from './manifest-catalog.ts';
import { checkDraft } from './manifest-draft.ts';
import { clusterKey, openKey } from './object-keys.ts';
import { Uploads } from './uploads.ts';

export interface BeginOptions {
  readonly store: ObjectStore;
  readonly clusterId: ClusterId;
  readonly catalog: ManifestCatalog;
  readonly clock: Clock;
  readonly log: Log;
  /** Most objects of one cloudsnap on their way at once. */
  readonly uploadsAtOnce: number;
}

/** Checks the plan, takes the next sequence number and puts the first objects. */
export async function beginCloudsnap(
  options: BeginOptions,
  plan: CloudsnapPlan,
  signal: AbortSignal,
): Promise<CloudsnapWriter> {
  const { store, clusterId, catalog, clock, log, uploadsAtOnce } = options;
  const slots = await catalog.slots(clusterId, plan.volume.id, signal);
  checkParent(plan, slots);
  const incremental = plan.parent !== null;
  const name = requireSnapName(newSnapName(plan.volume.id, nextSequence(slots), incremental));
  checkDraft(plan, clusterId, name);
  const parent = plan.parent && (await IndexReader.open(store, plan.parent.manifest, signal));
  await markCluster(options, signal);
  const openBytes = await putOpen(options, name.snapName, signal);
  return new CloudsnapUpload({
    store,
    clusterId,
    plan,
    name,
    parent: parent ?? undefined,
    uploads: new Uploads({ store, limit: uploadsAtOnce, signal }),
    openBytes,
    signal,
    clock,
    log,
  });
}

/**
 * The root's marker has to stand before its first manifest does, or a listing of all clusters would
 * miss it.
 */
async function markCluster({ store, clusterId }: BeginOptions, signal: AbortSignal): Promise<void> {
  const key = clusterKey(clusterId);
  if (await store.head(key, { signal })) return;
  const body = canonicalJson({ clusterId, formatVersion: FORMAT_VERSION });
  // Everybody writes the same bytes: who was first does not matter.
  await store.put(key, Buffer.from(body), { signal });
}

/**
 * Says since when there are objects of this cloudsnap, for whoever finds them without a manifest.
 */
async function putOpen(
  { store, clusterId, clock }: BeginOptions,
  snapName: string,
  signal: AbortSignal,
): Promise<number> {
  const cloudsnapId = `${clusterId}/${snapName}`;
  const body = Buffer.from(
    canonicalJson({ cloudsnapId, formatVersion: FORMAT_VERSION, openedMs: clock.nowMs() }),
  );
  const ifAbsent = store.capabilities.conditionalPut;
  try {
    await store.put(openKey(clusterId, snapName), body, { ifAbsent, signal });
  } catch (error) {
    if (!hasCode(error, 'store/exists')) throw error;
    throw new CloudvolError('cloudsnap/lost-race', `another writer has begun ${cloudsnapId}`, {
      hint: 'let one host at a time back up a volume, then try again',
      cause: error,
    });
  }
  return body.length;
}
