import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import test from 'ava';

import { ROUTES, type RouteName } from '../../src/control/routes.ts';
import { CALLS } from '../../src/control/schemas.ts';

test('docs/API.md lists every call with its path and inputs', (t) => {
  const document = readFileSync(join(import.meta.dirname, '../../docs/API.md'), 'utf8');
  const rows = document
    .split('\n')
    .filter((line) => /^\| \w+ \| (GET|POST|PUT|DELETE) /.test(line));
  const expected = (Object.keys(ROUTES) as RouteName[]).map((name) => {
    const { method, path } = ROUTES[name];
    const { properties, required = [] } = CALLS[name].input as {
      properties: object;
      required?: readonly string[];
    };
    const inputs = Object.keys(properties).map((key) => (required.includes(key) ? key : `${key}?`));
    return `| ${name} | ${method} ${path} | ${inputs.length > 0 ? `${inputs.join(', ')} ` : ''}|`;
  });
  t.deepEqual(rows, expected);
});
