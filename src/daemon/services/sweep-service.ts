import type { Handlers } from '../../control/server.ts';
import type { CredentialRegistry } from '../../secrets/credential-registry.ts';
import type { Sweeper } from '../cleanup/sweeper.ts';
import type { Repositories } from '../domain.ts';

export interface SweepServiceDeps {
  readonly credentials: CredentialRegistry;
  readonly repositories: Repositories;
  readonly sweeper: Sweeper;
}

/** Sweeps that somebody asks for: whoever gives up waiting ends it, and nothing is lost by that. */
export class SweepService implements Pick<Handlers, 'sweepCloudsnaps'> {
  readonly #deps: SweepServiceDeps;

  constructor(deps: SweepServiceDeps) {
    this.#deps = deps;
  }

  readonly sweepCloudsnaps: Handlers['sweepCloudsnaps'] = async (input, signal) => {
    const { credentials, repositories, sweeper } = this.#deps;
    const repository = await repositories.open(credentials.find(input.credential));
    const { dryRun = false, takeover = false } = input;
    const report = await sweeper.sweep(repository, { dryRun, takeover }, signal);
    return {
      ...report,
      leftovers: report.leftovers.map(({ note = null, ...leftover }) => ({ ...leftover, note })),
    };
  };
}
