import { rm, statfs } from 'node:fs/promises';
import { CloudvolError } from '../base/errors.ts';
import { Limiter } from '../base/limiter.ts';
import { namesOfPath } from './catalog-path.ts';
import type { FileEntry } from './file-entry.ts';
import type { Image } from './image.ts';
import { mountImage, type MountDeps, type MountedImage } from './mounted-image.ts';
import { packFiles } from './pack-files.ts';
import { PROBE_BYTES, probeFileSystem, type DiskContent } from './probe-file-system.ts';
import { removeLeftovers } from './remove-leftovers.ts';
import { walkFiles } from './walk-files.ts';
import type { WalkEnd } from './walker/walk-order.ts';
import { packWholeDisk, wholeDiskEntry } from './whole-disk.ts';

/** Loop devices are few and belong to everybody; who comes later waits. */
const MAX_IMAGES = 4;
/** Of the free space, what one image may fill: the rest is the volumes'. */
const BUDGET_SHARE = 1 / 4;

/** JSON has no infinity. */
const EVERYTHING = { depth: Number.MAX_SAFE_INTEGER, max: Number.MAX_SAFE_INTEGER };

export interface CatalogQuery {
  readonly path: string;
  /** 1: what lies in the folder itself. */
  readonly depth: number;
  /** Most entries. */
  readonly max: number;
}

export type CatalogItem =
  | { readonly image: Image; readonly content: DiskContent }
  | { readonly entry: FileEntry }
  | { readonly end: WalkEnd };

export type OpenImage = (signal: AbortSignal) => Promise<Image>;

interface Opened {
  readonly image: Image;
  readonly content: DiskContent;
  /** Undefined for a disk without a file system that can be read. */
  readonly mounted: MountedImage | undefined;
}

/** Looks into cloudsnaps without restoring them. Images are opened here, and closed. */
export class FileCatalog {
  readonly #deps: MountDeps;
  readonly #turns = new Limiter(MAX_IMAGES);
  readonly #stopping = new AbortController();

  private constructor(deps: MountDeps) {
    this.#deps = deps;
  }

  /** Takes away what an agent that was killed left behind. */
  static async open(deps: MountDeps): Promise<FileCatalog> {
    await removeLeftovers(deps);
    return new FileCatalog(deps);
  }

  /**
   * What a cloudsnap holds, then its files below a path, then how that ended.
   * @throws CloudvolError `catalog/…`, what the image's source throws, `host/…`
   */
  async *list(
    openImage: OpenImage,
    { path, depth, max }: CatalogQuery,
    signal: AbortSignal,
  ): AsyncGenerator<CatalogItem, void, undefined> {
    const names = namesOfPath(path);
    yield* this.#within(openImage, signal, async function* ({ image, content, mounted }, ending) {
      if (!mounted) {
        const entry = wholeDiskEntry(image, names);
        yield* [{ image, content }, { entry }, { end: { entries: 1, isTruncated: false } }];
        return;
      }
      const order = { root: mounted.root, names, depth, max, withStart: false };
      const files = walkFiles(order, image.cloudsnapId, ending);
      try {
        // The head is sent when it is known that the path is there.
        let next = await files.next();
        yield { image, content };
        for (; !next.done; next = await files.next()) yield { entry: next.value };
        yield { end: next.value };
      } finally {
        await files.return({ entries: 0, isTruncated: true });
      }
    });
  }

  /**
   * A tar archive of files and folders, each under its whole path.
   * @throws as `list` does
   */
  async *pack(
    openImage: OpenImage,
    paths: readonly string[],
    signal: AbortSignal,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const wanted = paths.map(namesOfPath);
    yield* this.#within(openImage, signal, async function* ({ image, mounted }, ending) {
      if (!mounted) {
        for (const names of wanted) wholeDiskEntry(image, names);
        yield* packWholeDisk(image, ending);
        return;
      }
      const { root } = mounted;
      const files = filesBelow(root, wanted, image.cloudsnapId, ending);
      yield* packFiles(root, files, image.cloudsnapId, ending);
    });
  }

  /** Ends what is under way, and waits until nothing is mounted and nothing kept in memory. */
  async close(): Promise<void> {
    const reason = new CloudvolError('agent/stopping', 'the agent is being stopped');
    this.#stopping.abort(reason);
    await Promise.all(Array.from({ length: MAX_IMAGES }, () => this.#turns.acquire()));
    await rm(this.#deps.places.liveDir, { recursive: true, force: true });
  }

  /** Opens an image, lets somebody look into it, closes it in any case. */
  async *#within<T>(
    openImage: OpenImage,
    caller: AbortSignal,
    look: (opened: Opened, signal: AbortSignal) => AsyncGenerator<T, void, undefined>,
  ): AsyncGenerator<T, void, undefined> {
    const signal = AbortSignal.any([caller, this.#stopping.signal]);
    const release = await this.#turns.acquire(signal);
    const stack = new AsyncDisposableStack();
    stack.defer(() => release());
    let mounted: MountedImage | undefined;
    try {
      const image = await openImage(signal);
      stack.defer(() => image.source.close());
      const content = await contentOf(image, signal);
      if (content.fileSystem !== 'none') {
        const budgetBytes = await this.#budgetBytes();
        mounted = await mountImage(image, content.fileSystem, budgetBytes, this.#deps, signal);
        stack.use(mounted);
      }
      yield* look({ image, content, mounted }, signal);
    } catch (error) {
      signal.throwIfAborted();
      throw mounted ? mounted.causeOf(error) : error;
    } finally {
      await stack.disposeAsync();
    }
  }

  async #budgetBytes(): Promise<number> {
    const { bavail, bsize } = await statfs(this.#deps.places.stateDir);
    return Math.floor(bavail * bsize * BUDGET_SHARE);
  }
}

/** @throws CloudvolError `catalog/no-file-system` when there is not what the volume had */
async function contentOf(image: Image, signal: AbortSignal): Promise<DiskContent> {
  const { blockBytes, blockCount } = image.geometry;
  const blocks = Math.min(blockCount, Math.ceil(PROBE_BYTES / blockBytes));
  const extent = { firstBlock: 0, blockCount: blocks };
  const start = new Uint8Array(blocks * blockBytes);
  for (const run of await image.source.readBlocks(extent, { priority: 'prefetch', signal })) {
    if (run.data) start.set(run.data, run.firstBlock * blockBytes);
  }
  const content = probeFileSystem(start);
  if (content.fileSystem !== 'none' || image.fileSystem === 'none') return content;
  const found = content.content === '' ? '' : `, but ${content.content}`;
  const message = `${image.cloudsnapId} holds no ${image.fileSystem} file system${found}`;
  throw new CloudvolError('catalog/no-file-system', message, {
    hint: 'restore it to look at its blocks',
  });
}

/** What lies below another path that is wanted comes with that. */
async function* filesBelow(
  root: string,
  wanted: readonly (readonly string[])[],
  cloudsnapId: string,
  signal: AbortSignal,
): AsyncGenerator<FileEntry, void, undefined> {
  const isBelow = (names: readonly string[], other: readonly string[]) =>
    other.length < names.length && other.every((name, index) => names[index] === name);
  for (const names of wanted) {
    if (wanted.some((other) => isBelow(names, other))) continue;
    yield* walkFiles({ root, names, ...EVERYTHING, withStart: true }, cloudsnapId, signal);
  }
}
