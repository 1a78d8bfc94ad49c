/** Calls that a helper has begun and has not ended, and which of them hang. */
export interface Sent {
  /** The cluster may have heard of it. */
  is: boolean;
  /** It has not ended in time, though the cluster answers. */
  hangs: boolean;
}

export class UnderWay {
  readonly #calls = new Set<Sent>();

  add(call: Sent): void {
    this.#calls.add(call);
  }

  delete(call: Sent): void {
    this.#calls.delete(call);
  }

  /** Something is under way, and nothing that may yet end. */
  get allHang(): boolean {
    return this.#calls.size > 0 && [...this.#calls].every(({ hangs }) => hangs);
  }
}
