import { randomBytes } from 'node:crypto';
import type { Clock } from '../base/clock.ts';
import { CloudvolError, hasCode } from '../base/errors.ts';
import { Limiter } from '../base/limiter.ts';
import type { Log } from '../base/log.ts';
import type { ObjectStore } from '../store/object-store.ts';
import { nextSequence } from './chain.ts';
import type { OwnOptions, VolumePlace } from './cloudsnap-api.ts';
import type { ManifestCatalog } from './manifest-catalog.ts';
import { aliveKey, ownerKey, ownersPrefix, parseOwnerKey } from './object-keys.ts';
import { occupyNumber } from './occupy-number.ts';
import { decodeOwnerRecord, encodeOwnerRecord, type OwnerRecord } from './owner-record.ts';
import { readRecord } from './read-record.ts';
import type { RepositoryCipher } from './repository-cipher.ts';

/**
 * How long another host waits without a sign of life before it takes a volume over: long against a
 * pause of a machine or an outage of a store, short for somebody whose host has burnt down.
 */
export const LEASE_MS = 5 * 60 * 1000;

/** Three signs of life in a lease: two may be lost. */
const RENEWALS_PER_LEASE = 3;

export interface OwnershipOptions {
  readonly store: ObjectStore;
  readonly catalog: ManifestCatalog;
  readonly ciphers: RepositoryCipher;
  readonly clock: Clock;
  readonly log: Log;
  readonly hostId: string;
}

/** What a listing of a volume's owners shows of the latest. */
interface Latest {
  /** undefined when there is none, or it cannot be read. */
  readonly record: OwnerRecord | undefined;
  /** 0: nobody ever owned the volume. */
  readonly generation: number;
  /** Changes whenever its owner gives a sign of life. */
  readonly pulse: string;
  /** Records of owners before: somebody was cut off while taking over. */
  readonly earlier: readonly number[];
  readonly keys: readonly string[];
}

interface Tenure {
  readonly generation: number;
  /** When this host last gave a sign of life. */
  renewedMs: number;
  /** Looked at, and nothing was done under it since. */
  isFresh: boolean;
}

/**
 * Which host may write for a volume: the one that put the highest generation. Its record is put
 * once and removed by the next owner before that one does anything: while it is there, it is valid.
 *
 * | holder                       | who wants it      | what happens                               |
 * |------------------------------|-------------------|--------------------------------------------|
 * | nobody                       | any host          | generation 1                               |
 * | this host, an ended process  | its next process  | the next generation, at once               |
 * | another host                 | any host          | waits until a whole lease, by its own      |
 * |                              |                   | clock, has passed without a sign of life;  |
 * |                              |                   | then the next generation, and the number   |
 * |                              |                   | that the other may reach for is given up   |
 * | another host, and the store  | any host          | refused, unless told to take it over       |
 * | cannot put conditionally     |                   |                                            |
 *
 * A host that does nothing gives no sign of life: its volumes can be taken over. It finds out at
 * its next look: before it begins, and right before it publishes or removes anything.
 */
export class Ownership {
  readonly #options: OwnershipOptions;
  readonly #tenures = new Map<string, Tenure>();
  /** By volume: of two that want it in one process, the second finds what the first took. */
  readonly #turns = new Map<string, Limiter>();

  constructor(options: OwnershipOptions) {
    this.#options = options;
  }

  /**
   * Owns the volume when it resolves, with the generation.
   * @throws CloudvolError `cloudsnap/other-host` when another host has it and is not waited for.
   */
  async acquire(place: VolumePlace, options: OwnOptions, signal: AbortSignal): Promise<number> {
    const key = keyOf(place);
    const turn = this.#turns.get(key) ?? new Limiter(1);
    this.#turns.set(key, turn);
    return await turn.run(async () => {
      const known = this.#tenures.get(key);
      if (!known || !(await this.#isValid(place, known.generation, signal))) {
        this.#tenures.delete(key);
        return await this.#take(place, options, signal);
      }
      known.isFresh = true;
      return known.generation;
    }, signal);
  }

  /** As `acquire`, but a look that was taken just before, and not used yet, is enough. */
  async ensure(place: VolumePlace, signal: AbortSignal): Promise<number> {
    const known = this.#tenures.get(keyOf(place));
    const isFresh = known?.isFresh === true;
    const generation = isFresh ? known.generation : await this.acquire(place, {}, signal);
    const tenure = this.#tenures.get(keyOf(place));
    if (tenure) tenure.isFresh = false;
    return generation;
  }

  /** @throws CloudvolError `cloudsnap/not-owner` when another has taken over since. */
  async requireStill(place: VolumePlace, generation: number, signal?: AbortSignal): Promise<void> {
    if (await this.#isValid(place, generation, signal)) return;
    const known = this.#tenures.get(keyOf(place));
    if (known?.generation === generation) this.#tenures.delete(keyOf(place));
    throw new CloudvolError(
      'cloudsnap/not-owner',
      `another host has taken over volume ${place.volumeId} in ${this.#options.store.location}`,
      {
        hint: 'let one host at a time back up a volume; the next backup asks for it again',
        details: { generation },
      },
    );
  }

  /** To be called while there is work: gives a sign of life when one is due. */
  async renewIfDue(place: VolumePlace, signal: AbortSignal): Promise<void> {
    const { store, clock, log } = this.#options;
    const tenure = this.#tenures.get(keyOf(place));
    const nowMs = clock.nowMs();
    // A clock that was set back renews once too often, which harms nobody.
    if (!tenure || Math.abs(nowMs - tenure.renewedMs) < LEASE_MS / RENEWALS_PER_LEASE) return;
    tenure.renewedMs = nowMs;
    const key = aliveKey(ownerKey(place.clusterId, place.volumeId, tenure.generation));
    try {
      await store.put(key, Buffer.from(String(nowMs)), { signal });
    } catch (error) {
      signal.throwIfAborted();
      // Two of three may be lost, and whoever lost the lease learns it before it can do harm.
      log.warn('ownership.not-renewed', { volumeId: place.volumeId, error });
    }
  }

  async #isValid(place: VolumePlace, generation: number, signal?: AbortSignal): Promise<boolean> {
    const key = ownerKey(place.clusterId, place.volumeId, generation);
    return (await this.#options.store.head(key, signal ? { signal } : {})) !== undefined;
  }

  async #take(place: VolumePlace, options: OwnOptions, signal: AbortSignal): Promise<number> {
    let seen: string | undefined;
    for (;;) {
      const latest = await this.#latest(place, signal);
      const isOthers = this.#isOthers(latest.generation, latest.record);
      if (isOthers && !options.takeover && seen !== latest.pulse) {
        seen = latest.pulse;
        await this.#wait(place, latest, options, signal);
        continue;
      }
      const generation = await this.#put(place, latest.generation + 1, signal);
      if (generation === undefined) continue;
      if (isOthers || (await this.#isUnfinished(place, latest, signal))) {
        await this.#fence(place, generation, signal);
      }
      // From here on the others' records say nothing any more, whoever looks.
      if (latest.keys.length > 0) await this.#options.store.delete(latest.keys, { signal });
      const renewedMs = this.#options.clock.nowMs();
      this.#tenures.set(keyOf(place), { generation, renewedMs, isFresh: true });
      const { volumeId } = place;
      this.#options.log.info('ownership.taken', { volumeId, generation, fromAnother: isOthers });
      return generation;
    }
  }

  #isOthers(generation: number, record: OwnerRecord | undefined): boolean {
    return generation > 0 && record?.hostId !== this.#options.hostId;
  }

  /** Whether a process of this host was cut off while it took over from another host. */
  async #isUnfinished(
    place: VolumePlace,
    { earlier }: Latest,
    signal: AbortSignal,
  ): Promise<boolean> {
    for (const generation of earlier) {
      const record = await this.#read({ ...place, generation }, signal);
      if (this.#isOthers(generation, record)) return true;
    }
    return false;
  }

  async #latest({ clusterId, volumeId }: VolumePlace, signal: AbortSignal): Promise<Latest> {
    const times = new Map<number, string>();
    const keys: string[] = [];
    const records: number[] = [];
    const prefix = ownersPrefix(clusterId, volumeId);
    for await (const { key, modifiedMs } of this.#options.store.list(prefix, { signal })) {
      const parsed = parseOwnerKey(key);
      if (!parsed) continue;
      keys.push(key);
      times.set(parsed.generation, `${times.get(parsed.generation) ?? ''} ${modifiedMs}`);
      if (!parsed.isAlive) records.push(parsed.generation);
    }
    const generation = Math.max(0, ...records);
    const earlier = records.filter((each) => each < generation);
    const record = await this.#read({ clusterId, volumeId, generation }, signal);
    const pulse = `${generation}:${times.get(generation) ?? ''}`;
    return { record, generation, pulse, earlier, keys };
  }

  /** A record that cannot be read is another host's: it is waited for, and then no longer. */
  async #read(
    place: VolumePlace & { readonly generation: number },
    signal: AbortSignal,
  ): Promise<OwnerRecord | undefined> {
    if (place.generation === 0) return undefined;
    const { clusterId, volumeId, generation } = place;
    const key = ownerKey(clusterId, volumeId, generation);
    try {
      const found = await readRecord(
        this.#options,
        { clusterId, key },
        (bytes, sealing) => decodeOwnerRecord(bytes, place, sealing),
        signal,
      );
      return found?.value;
    } catch (error) {
      if (!hasCode(error, 'cloudsnap/corrupt')) throw error;
      this.#options.log.warn('ownership.record-unreadable', { key, error });
      return undefined;
    }
  }

  async #wait(
    { volumeId }: VolumePlace,
    { record }: Latest,
    { isPatient = true, onWait }: OwnOptions,
    signal: AbortSignal,
  ): Promise<void> {
    const { store, clock } = this.#options;
    const host = record?.hostId ?? 'unknown';
    const details = { volumeId, hostId: host };
    if (!store.capabilities.conditionalPut) {
      throw new CloudvolError(
        'cloudsnap/other-host',
        `host ${host} writes volume ${volumeId}, and ${store.location} cannot tell two hosts apart`,
        { hint: 'when that host no longer writes it, repeat this with --takeover', details },
      );
    }
    if (!isPatient) {
      throw new CloudvolError(
        'cloudsnap/other-host',
        `volume ${volumeId} is written by host ${host}`,
        { hint: 'do this on that host, or take a backup here first', details },
      );
    }
    const leaseMs = record?.leaseMs ?? LEASE_MS;
    onWait?.(
      `Host ${host} owns the volume: it is taken over when that one gives no sign of life for ` +
        `${Math.ceil(leaseMs / 1000)} s.`,
    );
    await clock.sleep(leaseMs, signal);
  }

  /** @returns undefined when somebody else was first. */
  async #put(
    place: VolumePlace,
    generation: number,
    signal: AbortSignal,
  ): Promise<number | undefined> {
    const { store, ciphers, hostId } = this.#options;
    const { clusterId, volumeId } = place;
    const nonce = randomBytes(8).toString('hex');
    const record = { clusterId, volumeId, generation, hostId, leaseMs: LEASE_MS, nonce };
    const key = ownerKey(clusterId, volumeId, generation);
    const cipher = await ciphers.forWriting(clusterId, signal);
    const body = encodeOwnerRecord(record, cipher.sealing(key));
    try {
      await store.put(key, body, { ifAbsent: store.capabilities.conditionalPut, signal });
      return generation;
    } catch (error) {
      if (!hasCode(error, 'store/exists')) throw error;
      const found = await this.#read({ ...place, generation }, signal);
      return found?.nonce === nonce ? generation : undefined;
    }
  }

  /**
   * Whoever owned the volume before may be in the middle of an upload, or asleep. The number that
   * it reaches for is given up, so that it cannot publish, however late it wakes.
   */
  async #fence(place: VolumePlace, generation: number, signal: AbortSignal): Promise<void> {
    const { clusterId, volumeId } = place;
    const slots = await this.#options.catalog.slots(clusterId, volumeId, signal);
    const sequence = nextSequence(slots);
    await occupyNumber(this.#options, { clusterId, volumeId, sequence }, generation, signal);
  }
}

function keyOf({ clusterId, volumeId }: VolumePlace): string {
  return `${clusterId}/${volumeId}`;
}
