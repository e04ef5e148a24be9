import type { Provider } from '../config/provider-fields.ts';
import { badField } from './bad-field.ts';

/** @throws CloudvolError `credential/bad-field` when `--…-endpoint` is no http(s) URL */
export function checkUrl(provider: Provider, endpoint: string): void {
  const url = URL.parse(endpoint);
  const isFine =
    url !== null && /^https?:$/.test(url.protocol) && url.username === '' && url.search === '';
  if (isFine) return;
  throw badField(provider, 'endpoint', 'is not the URL of a service', {
    hint: 'give https://host:port, without keys in it',
  });
}
