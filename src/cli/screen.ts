/**
 * The alternate screen of a terminal: drawn over again and again, and gone without a trace at the end, however that comes. A frame is one
 * write, so that no half of one is seen; each line is cut to the width, since one that wraps moves all below it.
 */
import { EXIT } from './exit-codes.ts';
import { cut, type Terminal, widthOf } from './terminal.ts';

const ENTER = '\u001B[?1049h\u001B[?25l';
const LEAVE = '\u001B[?25h\u001B[?1049l';
const [HOME, REST_OF_LINE, REST_OF_SCREEN] = ['\u001B[H', '\u001B[K', '\u001B[J'];

export class Screen {
  readonly #terminal: Terminal;
  readonly #leave = (): void => this.#terminal.raw(LEAVE);
  readonly #hangUp = (): void => process.exit(EXIT.interrupted);

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
    terminal.raw(ENTER);
    // An error that nobody caught ends the process without coming by here.
    process.once('exit', this.#leave);
    process.once('SIGHUP', this.#hangUp);
  }

  draw(lines: readonly string[]): void {
    const { width, height } = this.#terminal;
    const fitting = lines
      .slice(0, height)
      .map((line) => `${widthOf(line) > width ? cut(line, width) : line}${REST_OF_LINE}\n`);
    this.#terminal.raw(`${HOME}${fitting.join('')}${REST_OF_SCREEN}`);
  }

  close(): void {
    process.off('exit', this.#leave);
    process.off('SIGHUP', this.#hangUp);
    this.#leave();
  }
}
