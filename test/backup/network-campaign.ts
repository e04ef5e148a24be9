import type { IncomingMessage } from 'node:http';
import type { ExecutionContext } from 'ava';
import { systemClock } from '../../src/base/clock.ts';
import { seededRandom } from '../../src/base/seeded-random.ts';
import type { ObjectStore } from '../../src/store/object-store.ts';
import { realLayers, runCampaign } from '../model/fault-campaign.ts';
import type { Tally } from '../model/simulation.ts';
import { startFaultProxy, type ProxyFault } from '../support/servers/fault-proxy.ts';

/** A server on the same machine answers sooner, unless the proxy let it hang. */
const REQUEST_LIMIT_MS = 1500;

/** A fifth of all requests; one in fifty hangs, which costs the time limit. */
const FAULTS: readonly (readonly [kind: ProxyFault, rate: number])[] = [
  ['reset', 0.05],
  ['lost-answer', 0.05],
  ['truncate', 0.03],
  ['garble', 0.02],
  [503, 0.02],
  ['hang', 0.02],
];

/** Besides those that are drawn: few runs have so many requests that one is certain to be. */
const GARBLE_EVERY = 25;
/** One in so many requests begins a storm: all of the next ones are refused with 503. */
const STORM_EVERY = 60;
const STORM_REQUESTS = 6;

/** A provider that a campaign goes to. */
export interface CampaignServer {
  /** `host:port`, plain http. */
  readonly address: string;
  /** A bare store in a bucket of its own, reached at this address instead. */
  open(address: string): Promise<ObjectStore>;
  /** Whether the body that is asked for is an object: its hashes tell when it is garbled. */
  isObjectGet(request: IncomingMessage): boolean;
  /** Method of an upload. */
  readonly putMethod: string;
  stop(): Promise<void>;
}

/**
 * Backups, restores, verifications and deletions through a proxy where a fifth of all requests
 * comes to grief: right, or cleanly failed. Holds that the faults which matter were among them.
 */
export async function runNetworkCampaign(
  t: ExecutionContext,
  server: CampaignServer,
  { seed, backups }: { readonly seed: number; readonly backups: number },
): Promise<void> {
  const faults = { on: false };
  const tally: Tally = new Map();
  const draw = networkFaults(server, seed);
  const proxy = await startFaultProxy(server.address, (request) => {
    if (!faults.on) return undefined;
    const fault = draw(request);
    const what = fault === undefined ? 'request' : `${fault} of ${request.method}`;
    tally.set(what, (tally.get(what) ?? 0) + 1);
    return fault;
  });
  t.teardown(() => proxy.stop());
  const store = await server.open(proxy.endpoint);
  t.teardown(() => store.close());
  const outcome = await runCampaign({
    seed,
    backups,
    disks: [store],
    way: {
      wrap: (next) => realLayers(next, { clock: systemClock, requestLimitMs: REQUEST_LIMIT_MS }),
      setFaults: (on) => (faults.on = on),
    },
  });
  t.log(Object.fromEntries([...tally, ...outcome].sort(([a], [b]) => (a < b ? -1 : 1))));
  const { putMethod } = server;
  const musts = [`reset of ${putMethod}`, `lost-answer of ${putMethod}`, `503 of ${putMethod}`];
  for (const what of [...musts, 'garble of GET', 'truncate of GET']) {
    t.true((tally.get(what) ?? 0) > 0, what);
  }
  t.true((outcome.get('backup: done') ?? 0) > 0);
  t.true((outcome.get('point compared') ?? 0) > 0);
}

/**
 * Object bodies are garbled, which their hashes tell. A listing has none: what plain http does to
 * it is between the store and whoever leaves TLS out.
 */
function networkFaults(
  server: CampaignServer,
  seed: number,
): (request: IncomingMessage) => ProxyFault | undefined {
  const random = seededRandom(seed);
  let requests = 0;
  let objectGets = 0;
  return (request) => {
    const isObject = server.isObjectGet(request);
    const point = random.next();
    if (requests++ % STORM_EVERY >= STORM_EVERY - STORM_REQUESTS) return 503;
    if (isObject && ++objectGets % GARBLE_EVERY === 0) return 'garble';
    let end = 0;
    for (const [kind, rate] of FAULTS) {
      end += rate;
      if (point < end) return kind === 'garble' && !isObject ? 'reset' : kind;
    }
    return undefined;
  };
}
