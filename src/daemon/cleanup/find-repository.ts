import type { CloudsnapRepository } from '../../cloudsnap/cloudsnap-api.ts';
import type { CredentialRegistry } from '../../secrets/credential-registry.ts';
import type { Repositories } from '../domain.ts';

/**
 * The repository with this id, by whichever credential leads to it.
 * @returns undefined when none does.
 * @throws why a credential could not be opened that may be the one.
 */
export async function findRepository(
  { credentials, repositories }: FindRepositoryDeps,
  repositoryId: string,
): Promise<CloudsnapRepository | undefined> {
  let failure: { readonly reason: unknown } | undefined;
  for (const credential of credentials.list()) {
    try {
      const repository = await repositories.open(credential);
      if (repository.id === repositoryId) return repository;
    } catch (error) {
      failure ??= { reason: error };
    }
  }
  if (failure) throw failure.reason;
  return undefined;
}

export interface FindRepositoryDeps {
  readonly credentials: CredentialRegistry;
  readonly repositories: Repositories;
}
