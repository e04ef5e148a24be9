import type { CredentialId } from '../base/ids.ts';

/**
 * What a provider needs to reach its store. A union, so that each provider has exactly its own
 * settings.
 */
export type ProviderSettings = DirectorySettings;

export interface DirectorySettings {
  readonly provider: 'directory';
  /** Absolute. */
  readonly path: string;
}

/** Where cloudsnaps go to and come from. Never changed once created. */
export interface Credential {
  readonly id: CredentialId;
  readonly name: string;
  readonly createdMs: number;
  readonly settings: ProviderSettings;
}
