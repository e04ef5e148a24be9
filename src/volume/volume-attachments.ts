import { CloudvolError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { AttachmentRecord } from '../format/volume-state.ts';
import type { NativeOverlay } from '../native.ts';
import type { Attachment, Frontend } from './frontend.ts';
import {
  attachLoop,
  detachLoop,
  makeFileSystem,
  mountDevice,
  mountPointsOf,
  unmountDirectory,
} from './host-devices.ts';
import { readMounts } from './mount-table.ts';
import type { LocalDisk } from './local-disk.ts';

export interface AttachmentsDeps {
  readonly frontend: Frontend;
  readonly native: NativeOverlay;
  readonly log: Log;
}

/**
 * How a volume is reachable on this host. Each level stands on the one before:
 * `detached → file (FUSE) → loop device → mounted`. What the user asked for is recorded in the volume's state, so
 * that an agent that starts again makes it anew. Calls do not overlap: the agent serialises them per volume.
 */
export class VolumeAttachments {
  readonly #volume: LocalDisk;
  readonly #deps: AttachmentsDeps;
  #attachment: Attachment | undefined;
  #loopDevice: string | undefined;
  #mountPath: string | undefined;

  constructor(volume: LocalDisk, deps: AttachmentsDeps) {
    this.#volume = volume;
    this.#deps = deps;
  }

  get path(): string | null {
    return this.#attachment?.path ?? null;
  }
  get loopDevice(): string | null {
    return this.#loopDevice ?? null;
  }
  get mountPath(): string | null {
    return this.#mountPath ?? null;
  }

  /** Attaching what is attached is no error; `loop` adds a loop device to a file. */
  async attach({
    loop = false,
  }: {
    loop?: boolean;
  }): Promise<{ path: string; loopDevice?: string }> {
    const path = await this.#raise(loop);
    await this.#record({
      loop: this.#loopDevice !== undefined,
      mountPath: this.mountPath,
      byMount: false,
    });
    return { path, ...(this.#loopDevice ? { loopDevice: this.#loopDevice } : {}) };
  }

  /** @throws CloudvolError `volume/in-use` while it is mounted or somebody has it open. */
  async detach(): Promise<void> {
    const { name } = this.#volume.attributes;
    if (this.#mountPath) {
      throw new CloudvolError('volume/in-use', `volume ${name} is mounted on ${this.#mountPath}`, {
        hint: `first: cloudvol volume unmount ${name}`,
      });
    }
    if (!this.#attachment) {
      throw new CloudvolError('volume/not-attached', `volume ${name} is not attached`, {
        hint: 'there is nothing to detach',
      });
    }
    await this.#lower();
    await this.#record(null);
  }

  /** @throws CloudvolError `volume/bad-path`, `volume/in-use`, `volume/no-file-system`, `host/…` */
  async mount(directory: string): Promise<void> {
    const { name, fileSystem } = this.#volume.attributes;
    if (this.#mountPath) {
      throw new CloudvolError(
        'volume/in-use',
        `volume ${name} is mounted on ${this.#mountPath} already`,
        {
          hint: `first: cloudvol volume unmount ${name}`,
        },
      );
    }
    await requireFree(directory);
    const byMount = !this.#attachment;
    const hadLoop = this.#loopDevice !== undefined;
    const device = await this.#raiseLoop();
    try {
      await mountDevice(device, directory, fileSystem);
    } catch (error) {
      if (!hadLoop) await this.#dropLoop();
      if (byMount) await this.#lower();
      throw error;
    }
    this.#mountPath = directory;
    await this.#record({ loop: true, mountPath: directory, byMount });
  }

  async unmount(): Promise<void> {
    const { name } = this.#volume.attributes;
    if (!this.#mountPath) {
      throw new CloudvolError('volume/not-mounted', `volume ${name} is not mounted`, {
        hint: 'there is nothing to unmount',
      });
    }
    await unmountDirectory(this.#mountPath);
    this.#mountPath = undefined;
    const byMount = this.#volume.file.current.attachment?.byMount ?? false;
    if (byMount) await this.#lower();
    await this.#record(byMount ? null : { loop: true, mountPath: null, byMount: false });
  }

  /** Makes the volume's file system, through a loop device that is gone afterwards. */
  async format(): Promise<void> {
    const { fileSystem } = this.#volume.attributes;
    if (fileSystem === 'none') return;
    try {
      await makeFileSystem(await this.#raiseLoop(), fileSystem);
    } finally {
      await this.#lower();
    }
  }

  /** What was there when the agent ended, anew. What cannot be done is logged: the rest of the agent starts all the same. */
  async restore(): Promise<void> {
    const wanted = this.#volume.file.current.attachment;
    const names = { volumeId: this.#volume.id, name: this.#volume.attributes.name };
    try {
      await this.#deps.frontend.cleanUp(names.name);
      if (!wanted) return;
      if (wanted.mountPath) await this.#remount(wanted.mountPath, wanted);
      else await this.#raise(wanted.loop);
      this.#deps.log.info('volume.reattached', {
        ...names,
        path: this.path,
        mountPath: this.mountPath,
      });
    } catch (error) {
      this.#deps.log.error('volume.not-reattached', { ...names, error });
    }
  }

  /** For the end of the agent: takes everything away and keeps the record of what was wanted. */
  async suspend(): Promise<void> {
    if (this.#mountPath) await unmountDirectory(this.#mountPath);
    this.#mountPath = undefined;
    await this.#lower();
  }

  // --- levels ---

  async #raise(loop: boolean): Promise<string> {
    if (!this.#attachment) {
      const { native, frontend } = this.#deps;
      const overlay = await this.#volume.open();
      const attachment = await frontend.attach({
        name: this.#volume.attributes.name,
        native,
        overlay,
      });
      this.#attachment = attachment;
      void attachment.ended.then((error) => this.#onEnded(attachment, error));
    }
    const { path } = this.#attachment;
    if (loop && !this.#loopDevice) this.#loopDevice = await attachLoop(path);
    return path;
  }

  async #raiseLoop(): Promise<string> {
    const wasAttached = this.#attachment !== undefined;
    try {
      await this.#raise(true);
    } catch (error) {
      if (!wasAttached) await this.#lower();
      throw error;
    }
    if (!this.#loopDevice)
      throw new CloudvolError('volume/not-attached', 'the volume was detached meanwhile');
    return this.#loopDevice;
  }

  async #lower(): Promise<void> {
    await this.#dropLoop();
    const attachment = this.#attachment;
    if (!attachment) return;
    // First, so that its end is no surprise.
    this.#attachment = undefined;
    try {
      await attachment.detach();
    } catch (error) {
      this.#attachment = attachment;
      throw error;
    }
  }

  async #dropLoop(): Promise<void> {
    if (!this.#loopDevice) return;
    const [mountPoint] = await mountPointsOf(this.#loopDevice);
    if (mountPoint) {
      throw new CloudvolError('volume/in-use', `${this.#loopDevice} is mounted on ${mountPoint}`, {
        hint: `unmount it first: umount ${mountPoint}`,
      });
    }
    await detachLoop(this.#loopDevice);
    this.#loopDevice = undefined;
  }

  async #remount(directory: string, { byMount }: AttachmentRecord): Promise<void> {
    await this.mount(directory);
    await this.#record({ loop: true, mountPath: directory, byMount });
  }

  #onEnded(attachment: Attachment, error: Error | undefined): void {
    if (this.#attachment !== attachment) return;
    // Somebody unmounted it from outside, or the kernel cut the connection.
    this.#attachment = undefined;
    this.#deps.log.warn('volume.attachment-ended', {
      volumeId: this.#volume.id,
      path: attachment.path,
      error,
    });
  }

  async #record(attachment: AttachmentRecord | null): Promise<void> {
    await this.#volume.file.update(() => ({ attachment }));
  }
}

async function requireFree(directory: string): Promise<void> {
  if (!(await readMounts()).some(({ mountPoint }) => mountPoint === directory)) return;
  throw new CloudvolError('volume/in-use', `something is mounted on ${directory} already`, {
    hint: 'choose another --path, or unmount it first',
  });
}
