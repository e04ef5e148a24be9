import { geometryOf } from '../../base/geometry.ts';
import type { CatalogItem, OpenImage } from '../../catalog/file-catalog.ts';
import type { CloudsnapEntry, CloudsnapRepository } from '../../cloudsnap/cloudsnap-api.ts';
import type { Handlers } from '../../control/server.ts';
import type { CatalogHead, CatalogEnd, FileEntryView } from '../../control/schemas.ts';
import type { CredentialRegistry } from '../../secrets/credential-registry.ts';
import type { Domain, Recipes, Repositories } from '../domain.ts';
import { isoTime } from './views.ts';

/** What is listed unless more is asked for: some 20 MB of JSON. */
const DEFAULT_MAX = 100_000;
/** Lines that travel together; the first ones alone, so that there is something to see at once. */
const LINES_AT_A_TIME = 256;

export interface CatalogServiceDeps {
  readonly credentials: CredentialRegistry;
  readonly repositories: Repositories;
  readonly recipes: Pick<Recipes, 'openChainSource'>;
  readonly catalog: Awaited<ReturnType<Domain['openCatalog']>>;
  /** Aborted when the agent ends. */
  readonly stopping: AbortSignal;
}

interface Wanted {
  readonly cloudsnap: string;
  readonly credential?: string;
}

type Line =
  | { readonly catalog: CatalogHead }
  | { readonly entry: FileEntryView }
  | { readonly end: CatalogEnd };

/** The files in a cloudsnap, listed and fetched without restoring it. */
export class CatalogService implements Pick<Handlers, 'catalogCloudsnap' | 'extractCloudsnap'> {
  readonly #deps: CatalogServiceDeps;

  constructor(deps: CatalogServiceDeps) {
    this.#deps = deps;
  }

  readonly catalogCloudsnap: Handlers['catalogCloudsnap'] = (input, caller) => {
    const { path = '/', depth = Number.MAX_SAFE_INTEGER, max = DEFAULT_MAX } = input;
    const query = { path, depth, max };
    const signal = this.#either(caller);
    return jsonLines(this.#deps.catalog.list(this.#opener(input), query, signal));
  };

  readonly extractCloudsnap: Handlers['extractCloudsnap'] = (input, caller) =>
    this.#deps.catalog.pack(this.#opener(input), input.paths, this.#either(caller));

  #either(caller: AbortSignal): AbortSignal {
    return AbortSignal.any([caller, this.#deps.stopping]);
  }

  #opener(input: Wanted): OpenImage {
    const { credentials, repositories, recipes } = this.#deps;
    return async (signal) => {
      const repository = await repositories.open(credentials.find(input.credential));
      const entry = await repository.find(input.cloudsnap, signal);
      const { cloudsnapId, createdMs, volume } = entry.manifest;
      return {
        cloudsnapId,
        createdMs,
        volumeName: volume.name,
        fileSystem: volume.fileSystem,
        geometry: geometryOf(volume.sizeBytes, volume.blockBytes),
        source: await recipes.openChainSource(repository, entry, signal),
        dataExtents: (reading) => dataExtents(repository, entry, reading),
      };
    };
  }
}

async function* dataExtents(
  repository: CloudsnapRepository,
  entry: CloudsnapEntry,
  signal: AbortSignal,
) {
  const reader = await repository.open(entry, signal);
  try {
    yield* reader.dataExtents(signal);
  } finally {
    await reader.close();
  }
}

async function* jsonLines(items: AsyncIterable<CatalogItem>): AsyncGenerator<Uint8Array> {
  let text = '';
  let lines = 0;
  let atATime = 1;
  for await (const item of items) {
    text += `${JSON.stringify(lineOf(item))}\n`;
    if (++lines < atATime) continue;
    yield Buffer.from(text);
    text = '';
    lines = 0;
    atATime = Math.min(LINES_AT_A_TIME, atATime * 2);
  }
  if (text !== '') yield Buffer.from(text);
}

function lineOf(item: CatalogItem): Line {
  if (!('image' in item)) return item;
  const { cloudsnapId, volumeName, createdMs } = item.image;
  const { fileSystem } = item.content;
  const content = fileSystem === 'none' ? item.content.content : '';
  const created = isoTime(createdMs);
  return { catalog: { cloudsnapId, volumeName, created, fileSystem, content } };
}
