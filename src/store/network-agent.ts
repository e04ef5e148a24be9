import * as http from 'node:http';
import * as https from 'node:https';
import { trusting } from './trusted-authorities.ts';

/**
 * An idle connection is left so long before the store says that it will close it: a request that
 * meets the closing is lost, and a busy event loop is seconds late.
 */
const LEAVE_EARLY_MS = 3000;

/**
 * The connections of one store, kept open between requests and closed by `destroy()`. Honours
 * HTTPS_PROXY, HTTP_PROXY and NO_PROXY of the environment, as the provider's own tools do.
 * @param ca PEM of authorities to trust besides the well-known ones.
 * @throws CloudvolError `store/failed` when `ca` is no certificate.
 */
export function networkAgent(url: URL, ca?: string): http.Agent | https.Agent {
  const options = {
    keepAlive: true,
    agentKeepAliveTimeoutBuffer: LEAVE_EARLY_MS,
    proxyEnv: process.env,
  };
  if (url.protocol === 'http:') return new http.Agent(options);
  if (ca === undefined) return new https.Agent(options);
  return new https.Agent({ ...options, secureContext: trusting(ca) });
}
