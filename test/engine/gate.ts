/** A door that a task waits at until the test opens it, or its signal is aborted. */
export class Gate {
  #arrived = (): void => {};
  #open = (): void => {};
  readonly arrived: Promise<void> = new Promise((resolve) => {
    this.#arrived = resolve;
  });
  readonly opened: Promise<void> = new Promise((resolve) => {
    this.#open = resolve;
  });

  open(): void {
    this.#open();
  }

  /** For `on`: arrive, wait. */
  readonly pass = ({ context }: { readonly context: { readonly signal?: AbortSignal } }): Promise<void> => {
    this.#arrived();
    const { signal } = context;
    return new Promise((resolve, reject) => {
      void this.opened.then(resolve);
      if (signal?.aborted) reject(signal.reason);
      signal?.addEventListener('abort', () => reject(signal.reason), { once: true });
    });
  };

  /** As `pass`, deaf to the signal. */
  readonly passDeaf = (): Promise<void> => {
    this.#arrived();
    return this.opened;
  };
}
