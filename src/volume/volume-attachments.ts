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
  resolveDirectory,
  syncFileSystem,
  unmountDirectory,
} from './host-devices.ts';
import type { LocalDisk } from './local-disk.ts';
import { loopDevicesOf, readMounts } from './mount-table.ts';

export interface AttachmentsDeps {
  readonly frontend: Frontend;
  readonly native: NativeOverlay;
  readonly log: Log;
}

/**
 * How a volume is reachable on this host. Each level stands on the one before:
 * `detached → file (FUSE) → loop device → mounted`. What the user asked for is recorded in the
 * volume's state, so that an agent that starts again makes it anew. Others may take a level away at
 * any time (umount, losetup -d): every call looks first. Calls do not overlap: the agent serialises
 * them per volume.
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
  async attach({ loop = false }: { loop?: boolean }): Promise<{
    path: string;
    loopDevice?: string;
  }> {
    await this.refresh();
    const path = await this.#raise(loop);
    await this.#record({
      loop: this.#loopDevice !== undefined,
      mountPath: this.mountPath,
      byMount: false,
    });
    return { path, ...(this.#loopDevice ? { loopDevice: this.#loopDevice } : {}) };
  }

  /** @throws CloudvolError `volume/in-use` while it is mounted or somebody has it open */
  async detach(): Promise<void> {
    const { name } = this.#volume.attributes;
    await this.refresh();
    if (this.#mountPath) {
      throw new CloudvolError('volume/in-use', `volume ${name} is mounted on ${this.#mountPath}`, {
        hint: `first: cloudvol volume unmount ${name}`,
      });
    }
    if (!this.#attachment) {
      // What was wanted before it ended from outside is not wanted any more.
      if (this.#recorded) return await this.#record(null);
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
    await this.refresh();
    if (this.#mountPath) {
      throw new CloudvolError(
        'volume/in-use',
        `volume ${name} is mounted on ${this.#mountPath} already`,
        { hint: `first: cloudvol volume unmount ${name}` },
      );
    }
    const mountPath = await resolveDirectory(directory);
    await requireFree(mountPath);
    const byMount = !this.#attachment;
    const hadLoop = this.#loopDevice !== undefined;
    await this.#raise(true);
    try {
      await mountDevice(this.#requireLoop(), mountPath, fileSystem);
    } catch (error) {
      if (byMount) await this.#lower();
      else if (!hadLoop) await this.#dropLoop();
      throw error;
    }
    this.#mountPath = mountPath;
    await this.#record({ loop: true, mountPath, byMount });
  }

  /** @throws CloudvolError `volume/not-mounted`, `volume/in-use` while a program uses it */
  async unmount(): Promise<void> {
    const { name } = this.#volume.attributes;
    await this.refresh();
    if (!this.#mountPath && !this.#recorded?.mountPath) {
      throw new CloudvolError('volume/not-mounted', `volume ${name} is not mounted`, {
        hint: 'there is nothing to unmount',
      });
    }
    if (this.#mountPath) await unmountDirectory(this.#mountPath);
    this.#mountPath = undefined;
    const byMount = this.#recorded?.byMount ?? false;
    if (byMount) await this.#lower();
    await this.#record(byMount ? null : { loop: true, mountPath: null, byMount: false });
  }

  /** Makes the volume's file system, through a loop device that is gone afterwards. */
  async format(): Promise<void> {
    const { fileSystem } = this.#volume.attributes;
    if (fileSystem === 'none') return;
    await this.#raise(true);
    try {
      await makeFileSystem(this.#requireLoop(), fileSystem);
    } finally {
      await this.#lower();
    }
  }

  /**
   * What was there when the agent ended, anew. What cannot be done is logged: the rest of the agent
   * starts all the same.
   */
  async restore(): Promise<void> {
    const wanted = this.#recorded;
    const names = { volumeId: this.#volume.id, name: this.#volume.attributes.name };
    try {
      await this.#deps.frontend.cleanUp(names.name);
      if (!wanted) return;
      if (!wanted.byMount) await this.#raise(wanted.loop);
      if (wanted.mountPath) await this.mount(wanted.mountPath);
      const { path, mountPath } = this;
      this.#deps.log.info('volume.reattached', { ...names, path, mountPath });
    } catch (error) {
      this.#deps.log.error('volume.not-reattached', { ...names, error });
    }
  }

  /**
   * For the end of the agent: takes everything away and keeps the record of what was wanted.
   * @throws CloudvolError `volume/in-use`
   */
  async suspend(): Promise<void> {
    await this.refresh();
    if (this.#mountPath) await unmountDirectory(this.#mountPath);
    this.#mountPath = undefined;
    await this.#lower();
  }

  /**
   * Brings what programs wrote to a mounted file system down to the volume, as far as that goes.
   */
  async syncMounted(): Promise<void> {
    if (!this.#mountPath) return;
    try {
      await syncFileSystem(this.#mountPath);
    } catch (error) {
      this.#deps.log.error('volume.not-synced', { volumeId: this.#volume.id, error });
    }
  }

  /** Sees which levels others have taken away. May run beside the other calls. */
  async refresh(): Promise<void> {
    const path = this.#attachment?.path;
    const device = this.#loopDevice;
    const isLoopGone = device && !(path && (await loopDevicesOf(path)).includes(device));
    if (isLoopGone && this.#loopDevice === device) this.#loopDevice = undefined;
    const mountPath = this.#mountPath;
    if (!mountPath) return;
    const mountPoints = this.#loopDevice ? await mountPointsOf(this.#loopDevice) : [];
    const isMountGone = !mountPoints.includes(mountPath);
    if (isMountGone && this.#mountPath === mountPath) this.#mountPath = undefined;
  }

  // --- levels ---

  get #recorded(): AttachmentRecord | null {
    return this.#volume.file.current.attachment;
  }

  /** All the levels that are asked for, or those that were there before. */
  async #raise(loop: boolean): Promise<string> {
    const attachment = this.#attachment;
    if (attachment) {
      if (loop) this.#loopDevice ??= await attachLoop(attachment.path);
      return attachment.path;
    }
    const { path } = await this.#attachFile();
    if (!loop) return path;
    try {
      this.#loopDevice = await attachLoop(path);
    } catch (error) {
      await this.#lower();
      throw error;
    }
    return path;
  }

  async #attachFile(): Promise<Attachment> {
    const { native, frontend } = this.#deps;
    const overlay = await this.#volume.open();
    const { name } = this.#volume.attributes;
    const attachment = await frontend.attach({ name, native, overlay });
    this.#attachment = attachment;
    void attachment.ended.then((error) => this.#onEnded(attachment, error));
    return attachment;
  }

  #requireLoop(): string {
    if (this.#loopDevice) return this.#loopDevice;
    const { name } = this.#volume.attributes;
    throw new CloudvolError('volume/not-attached', `volume ${name} was detached meanwhile`, {
      hint: 'try again',
    });
  }

  async #lower(): Promise<void> {
    const hadLoop = this.#loopDevice !== undefined;
    await this.#dropLoop();
    const attachment = this.#attachment;
    if (!attachment) return;
    // First, so that its end is no surprise.
    this.#attachment = undefined;
    try {
      await attachment.detach();
    } catch (error) {
      this.#attachment = attachment;
      if (hadLoop) await this.#raiseLoopAgain(attachment.path);
      throw error;
    }
  }

  /** What could not be taken away as a whole stays as a whole. */
  async #raiseLoopAgain(path: string): Promise<void> {
    try {
      // A device that somebody has open outlives losetup -d until it is closed.
      const [held] = await loopDevicesOf(path);
      this.#loopDevice = held ?? (await attachLoop(path));
    } catch (error) {
      this.#deps.log.warn('volume.loop-not-restored', { volumeId: this.#volume.id, error });
    }
  }

  async #dropLoop(): Promise<void> {
    if (!this.#loopDevice) return;
    const [mountPoint] = await mountPointsOf(this.#loopDevice);
    if (mountPoint) {
      throw new CloudvolError(
        'volume/in-use',
        `volume ${this.#volume.attributes.name} is mounted on ${mountPoint}`,
        { hint: `unmount it first: umount ${mountPoint}` },
      );
    }
    await detachLoop(this.#loopDevice);
    this.#loopDevice = undefined;
  }

  #onEnded(attachment: Attachment, error: Error | undefined): void {
    if (this.#attachment !== attachment) return;
    // Somebody unmounted it from outside, or the kernel cut the connection.
    this.#attachment = undefined;
    const { path } = attachment;
    this.#deps.log.warn('volume.attachment-ended', { volumeId: this.#volume.id, path, error });
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
