import { ROUTES, type RouteName } from '../../src/control/routes.ts';
import type { Handlers } from '../../src/control/server.ts';

/** Handlers that fail the test when they are called, but for those that are given. */
export function fakeHandlers(given: Partial<Handlers>): Handlers {
  const all = Object.keys(ROUTES).map((name) => [
    name,
    given[name as RouteName] ??
      (() => {
        throw new Error(`unexpected call of ${name}`);
      }),
  ]);
  return Object.fromEntries(all) as Handlers;
}
