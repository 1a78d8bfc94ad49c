/** What a command writes, kept for a test; and a context that serves nothing. */
import type { CliContext } from '../../src/cli/context.ts';
import type { Keyboard } from '../../src/cli/keyboard.ts';
import { Terminal } from '../../src/cli/terminal.ts';
import { driverOf } from '../../src/drivers/driver-of.ts';

export interface Captured {
  readonly terminal: Terminal;
  readonly text: string;
}

/** With `columns` it is a terminal so wide (and of so many rows), without it a pipe. Never coloured. */
export function captured(columns?: number, rows = 24): Captured {
  let text = '';
  const stream = {
    write: (more: string) => (text += more),
    ...(columns !== undefined && { isTTY: true, columns, rows }),
  };
  const terminal = new Terminal(stream);
  // `styleText` asks a stream for its colours; this one has none.
  terminal.paint = (_style, plain) => plain;
  return {
    terminal,
    get text() {
      return text;
    },
  };
}

export interface CapturedCommand {
  readonly around: CliContext;
  readonly out: Captured;
  readonly err: Captured;
}

export function capturedCommand(
  signal: AbortSignal = new AbortController().signal,
  { out = captured(), keyboard }: { readonly out?: Captured; readonly keyboard?: Keyboard } = {},
): CapturedCommand {
  const err = captured();
  const around: CliContext = {
    version: '0.0.0',
    out: out.terminal,
    err: err.terminal,
    keyboard,
    signal,
    serve: () => Promise.reject(new Error('Nothing is served here.')),
    driverOf,
  };
  return { around, out, err };
}
