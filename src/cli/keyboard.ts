/** Keys that end what redraws itself. Lines are read by those who want lines (`passwd.ts`). */

/** As much of a terminal's input as is needed. */
export interface Keyboard {
  setRawMode(raw: boolean): unknown;
  on(event: 'data', heard: (keys: Buffer | string) => void): unknown;
  off(event: 'data', heard: (keys: Buffer | string) => void): unknown;
  resume(): unknown;
  pause(): unknown;
}

/** `q`, and Ctrl-C and Ctrl-D: a terminal that gives each key at once makes no signal of them. */
const QUITS = ['q', 'Q', '\u0003', '\u0004'] as const;

export interface QuitKey {
  /** Aborted when it was pressed. */
  readonly signal: AbortSignal;
  /** Gives the keyboard back as it was. */
  stop(): void;
}

/** Never pressed where there is no keyboard. */
export function listenForQuit(keyboard: Keyboard | undefined): QuitKey {
  const pressed = new AbortController();
  const heard = (keys: Buffer | string): void => {
    const typed = keys.toString();
    if (QUITS.some((key) => typed.includes(key))) pressed.abort();
  };
  keyboard?.setRawMode(true);
  keyboard?.on('data', heard);
  keyboard?.resume();
  return {
    signal: pressed.signal,
    stop: () => {
      keyboard?.off('data', heard);
      keyboard?.setRawMode(false);
      keyboard?.pause();
    },
  };
}
