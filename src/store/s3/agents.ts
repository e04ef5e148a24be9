import * as http from 'node:http';
import * as https from 'node:https';
import { trusting } from '../trusted-authorities.ts';

export interface Agents {
  readonly httpAgent: http.Agent;
  readonly httpsAgent: https.Agent;
}

/**
 * Connections that are kept between requests. Their number is bounded by the requests that the
 * layers above let through: a queue in here would count as a connection that does not come about.
 * @throws CloudvolError `store/failed` when `ca` is no certificate.
 */
export function openAgents(ca: string | undefined): Agents {
  const options = { keepAlive: true };
  return {
    httpAgent: new http.Agent(options),
    httpsAgent: new https.Agent(
      ca === undefined ? options : { ...options, secureContext: trusting(ca) },
    ),
  };
}
