import { Limiter } from '../base/limiter.ts';
import type { VolumeState } from '../format/volume-state.ts';
import type { VolumeDirectory } from './volume-directory.ts';

/**
 * The one place that changes `volume.json`: changes follow each other, each on top of the one
 * before, each durable.
 */
export class VolumeStateFile {
  readonly #directory: VolumeDirectory;
  readonly #turn = new Limiter(1);
  #state: VolumeState;

  constructor(directory: VolumeDirectory, state: VolumeState) {
    this.#directory = directory;
    this.#state = state;
  }

  get current(): VolumeState {
    return this.#state;
  }

  async update(change: (state: VolumeState) => Partial<VolumeState>): Promise<void> {
    await this.#turn.run(async () => {
      const next = { ...this.#state, ...change(this.#state) };
      await this.#directory.writeState(next);
      this.#state = next;
    });
  }

  /** For those who write the file as part of a larger step (opening, closing the overlay). */
  async replace(work: (state: VolumeState) => Promise<VolumeState>): Promise<void> {
    await this.#turn.run(async () => {
      this.#state = await work(this.#state);
    });
  }
}
