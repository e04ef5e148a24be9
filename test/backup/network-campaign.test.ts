import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { systemClock } from '../../src/base/clock.ts';
import { seededRandom } from '../../src/base/seeded-random.ts';
import { S3Store } from '../../src/store/s3.ts';
import { realLayers, runCampaign } from '../model/fault-campaign.ts';
import type { Tally } from '../model/simulation.ts';
import { requires } from '../support/requires.ts';
import { startFaultProxy, type ProxyFault } from '../support/servers/fault-proxy.ts';
import { startRgw } from '../support/servers/rgw.ts';

const SEED = Number(process.env['SEED'] ?? 1);
const BACKUPS = Number(process.env['BACKUPS'] ?? 20);
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

requires('radosgw')(
  `${BACKUPS} backups over a network where a fifth of the requests fails: right or cleanly failed`,
  async (t) => {
    const server = await startRgw();
    t.teardown(() => server.stop());
    const random = seededRandom(SEED);
    const faults = { on: false };
    const tally: Tally = new Map();
    let objectGets = 0;
    const proxy = await startFaultProxy(server.endpoint, (request) => {
      if (!faults.on) return undefined;
      const isDue = isObjectGet(request) && ++objectGets % GARBLE_EVERY === 0;
      const fault = isDue ? 'garble' : draw(random.next(), request);
      const what = fault === undefined ? 'request' : `${fault} of ${request.method}`;
      tally.set(what, (tally.get(what) ?? 0) + 1);
      return fault;
    });
    t.teardown(() => proxy.stop());
    const target = { ...server.target(`t-${randomUUID()}`), endpoints: [proxy.endpoint] };
    const store = await S3Store.open(target);
    t.teardown(() => store.close());
    const outcome = await runCampaign({
      seed: SEED,
      backups: BACKUPS,
      disks: [store],
      way: {
        wrap: (next) => realLayers(next, { clock: systemClock, requestLimitMs: REQUEST_LIMIT_MS }),
        setFaults: (on) => (faults.on = on),
      },
    });
    t.log(Object.fromEntries([...tally, ...outcome].sort(([a], [b]) => (a < b ? -1 : 1))));
    for (const what of ['reset of PUT', 'lost-answer of PUT', 'garble of GET', 'truncate of GET']) {
      t.true((tally.get(what) ?? 0) > 0, what);
    }
    t.true((outcome.get('backup: done') ?? 0) > 0);
    t.true((outcome.get('point compared') ?? 0) > 0);
  },
);

/**
 * Object bodies are garbled, which their hashes tell. A listing has none: what plain http does to
 * it is between the store and whoever leaves TLS out.
 */
function draw(point: number, request: IncomingMessage): ProxyFault | undefined {
  let end = 0;
  for (const [kind, rate] of FAULTS) {
    end += rate;
    if (point >= end) continue;
    return kind === 'garble' && !isObjectGet(request) ? 'reset' : kind;
  }
  return undefined;
}

function isObjectGet({ method, url = '' }: IncomingMessage): boolean {
  return method === 'GET' && !url.includes('list-type');
}
