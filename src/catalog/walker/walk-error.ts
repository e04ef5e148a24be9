/** What a walk says about the path that it was given; the agent makes a sentence of it. */
export type WalkErrorReason = 'no-such-path' | 'not-a-folder';

export class WalkError extends Error {
  readonly reason: WalkErrorReason;

  constructor(reason: WalkErrorReason, message: string) {
    super(message);
    this.reason = reason;
  }
}
