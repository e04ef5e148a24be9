import type { NativeOverlay, OverlayHandle } from '../native.ts';

/** Makes volumes reachable in one way. Implemented in frontend/; the volume knows nothing of it. */
export interface Frontend {
  readonly kind: string;
  /**
   * Resolves when the volume can be read and written at `path`.
   * @throws CloudvolError `host/…` when the host cannot do it, `volume/in-use` when the path is
   * taken
   */
  attach(target: FrontendTarget): Promise<Attachment>;
  /** Takes away what an agent that died left at the path; nothing when there is nothing. */
  cleanUp(name: string): Promise<void>;
}

export interface FrontendTarget {
  readonly name: string;
  readonly native: NativeOverlay;
  readonly overlay: OverlayHandle;
}

export interface Attachment {
  readonly path: string;
  /**
   * Resolves when the attachment ends, by detach or from outside: with undefined, or why it broke.
   * Never rejects.
   */
  readonly ended: Promise<Error | undefined>;
  /** @throws CloudvolError `volume/in-use` when somebody has it open; then it stays. */
  detach(): Promise<void>;
}
