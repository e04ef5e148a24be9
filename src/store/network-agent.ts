import * as http from 'node:http';
import * as https from 'node:https';
import { trusting } from './trusted-authorities.ts';

/**
 * The connections of one store, kept open between requests and closed by `destroy()`. Honours
 * HTTPS_PROXY, HTTP_PROXY and NO_PROXY of the environment, as the provider's own tools do.
 * @param ca PEM of authorities to trust besides the well-known ones.
 * @throws CloudvolError `store/failed` when `ca` is no certificate.
 */
export function networkAgent(url: URL, ca?: string): http.Agent | https.Agent {
  const options = { keepAlive: true, proxyEnv: process.env };
  if (url.protocol === 'http:') return new http.Agent(options);
  if (ca === undefined) return new https.Agent(options);
  return new https.Agent({ ...options, secureContext: trusting(ca) });
}
