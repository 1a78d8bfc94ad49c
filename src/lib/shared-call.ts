/**
 * A coalesced call: many want it at once, and it is made for all of them. One is under way at a time, and who comes meanwhile shares
 * the next.
 *
 * What a caller is given began after it asked. So a sync of a directory covers every name the caller has given, and a look
 * at a file sees it as it was then or later. With ten clients that create, three to five share a sync.
 */
export class SharedCall<Result> {
  readonly #call: () => Promise<Result>;
  #underWay: Promise<Result> | undefined;
  /** Not begun: whoever asks may still share it. */
  #next: Promise<Result> | undefined;

  constructor(call: () => Promise<Result>) {
    this.#call = call;
  }

  run(): Promise<Result> {
    this.#next ??= this.#afterTheOneUnderWay();
    return this.#next;
  }

  async #afterTheOneUnderWay(): Promise<Result> {
    // Its failure is told to those who share it, and is nothing to the next.
    await this.#underWay?.catch(() => {});
    this.#next = undefined;
    const call = this.#call();
    this.#underWay = call;
    try {
      return await call;
    } finally {
      if (this.#underWay === call) this.#underWay = undefined;
    }
  }
}
