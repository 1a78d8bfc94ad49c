/**
 * A flow as it happens: a line a task, with its time, drawn from the engine's events.
 *
 * The events of a flow begin before the request is answered, and a flow of records may have ended by then; so they are kept from
 * the request on, and drawn when its answer says which of them are its own.
 */
import type { EngineEvent } from '../../engine/events.ts';
import { elapsed } from '../../lib/clock.ts';
import { duration } from '../../lib/times.ts';
import { bar } from '../../why/progress.ts';
import { cut, printable, type Style, type Terminal, widthOf, wrap } from '../terminal.ts';

export type Ended = Extract<EngineEvent, { is: 'flow-ended' | 'flow-stuck' }>;

const INDENT = '     ';
const NAME_WIDTH = 52;
const NARROWEST = 24;
/** Indentation, mark, time and a short note. */
const BESIDE = 40;
const BAR_WIDTH = 20;
/** Quicker tasks come and go without a live line. */
const PATIENCE_MS = 120;
const TICK_MS = 80;

export class FlowPicture {
  readonly #terminal: Terminal;
  #listens: ((event: EngineEvent) => void) | null = null;
  /** The world task that runs. */
  #running: { readonly task: string; readonly since: number; fraction: number | null } | null = null;
  #lastFlowId: string | undefined;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  /** The flow drawn last. */
  get lastFlowId(): string | undefined {
    return this.#lastFlowId;
  }

  hear(event: EngineEvent): void {
    this.#listens?.(event);
  }

  /** Draws the flow that the request begins, until it has ended or is stuck. Rejects as the request does, and keeps nothing of it. */
  async follow<A extends { readonly requestId: string }>(
    ask: () => Promise<A>,
    signal: AbortSignal,
    also: (event: EngineEvent) => void = () => {},
  ): Promise<{ readonly answer: A; readonly ended: Ended }> {
    const kept: EngineEvent[] = [];
    this.#listens = (event) => kept.push(event);
    const ticker = this.#terminal.isLive ? setInterval(() => this.#tick(), TICK_MS) : undefined;
    try {
      const answer = await ask();
      return { answer, ended: await this.#draw(answer.requestId, kept, signal, also) };
    } finally {
      clearInterval(ticker);
      this.#listens = null;
      this.#running = null;
    }
  }

  #draw(
    requestId: string,
    kept: readonly EngineEvent[],
    signal: AbortSignal,
    also: (event: EngineEvent) => void,
  ): Promise<Ended> {
    return new Promise((resolve, reject) => {
      const give = (): void => reject(signal.reason);
      signal.addEventListener('abort', give, { once: true });
      const listen = (event: EngineEvent): void => {
        if (event.requestId !== requestId) return;
        also(event);
        this.#show(event);
        if (event.is !== 'flow-ended' && event.is !== 'flow-stuck') return;
        signal.removeEventListener('abort', give);
        this.#lastFlowId = event.flowId;
        resolve(event);
      };
      this.#listens = listen;
      if (signal.aborted) give();
      for (const event of kept) listen(event);
    });
  }

  #show(event: EngineEvent): void {
    switch (event.is) {
      case 'task-started':
        this.#running = { task: event.task, since: elapsed(), fraction: null };
        break;
      case 'task-progress':
        if (this.#running?.task === event.task) this.#running.fraction = event.fraction;
        break;
      case 'task-done':
        this.#running = null;
        this.#done(event.task, event.ms, event.result);
        break;
      case 'task-failed':
        this.#running = null;
        this.#line('✗', 'red', event.task, 'failed');
        this.#text(`${event.failure.name}: ${event.failure.message}`);
        break;
      case 'task-retried':
        this.#line('…', 'yellow', event.task, `try ${event.tries} failed, again`);
        break;
      case 'task-reverted':
        this.#running = null;
        this.#line('↶', 'yellow', event.task, 'undone');
        break;
      case 'attempt-rejected':
        this.#line(
          '↻',
          'yellow',
          `attempt ${event.rejection.attempt} on ${String(event.rejection.choice)} is over`,
          '',
        );
        this.#text('Everything it made is undone. The next attempt goes elsewhere.');
        break;
      case 'flow-stuck':
        this.#line('!', ['red', 'bold'], event.task, 'its revert failed');
        this.#text(event.failure.message);
        break;
      default:
        break;
    }
  }

  #done(task: string, ms: number | null, result: unknown): void {
    const { pool } = (typeof result === 'object' && result !== null ? result : {}) as { readonly pool?: unknown };
    const note = typeof pool === 'string' ? `→ ${pool}` : '';
    if (ms === null) this.#line('·', 'dim', task, '', note);
    else this.#line('✓', 'green', task, duration(ms), note);
  }

  #line(mark: string, style: Style, task: string, right: string, note = ''): void {
    const terminal = this.#terminal;
    const room = Math.max(NARROWEST, Math.min(NAME_WIDTH, terminal.width - BESIDE));
    const name = cut(shown(task), room);
    const space = ' '.repeat(Math.max(1, room - widthOf(name)));
    const painted = mark === '·' ? terminal.paint('dim', name) : name;
    const fits = widthOf(INDENT) + room + 14 + widthOf(note) <= terminal.width;
    terminal.line(
      `${INDENT}${terminal.paint(style, mark)} ${painted}${space}${right.padStart(10)}${fits && note !== '' ? `  ${terminal.paint('dim', note)}` : ''}`.trimEnd(),
    );
  }

  #text(text: string): void {
    const width = Math.min(100, this.#terminal.width) - widthOf(INDENT) - 3;
    for (const line of wrap(printable(text), width))
      this.#terminal.line(`${INDENT}  ${this.#terminal.paint('dim', line)}`);
  }

  #tick(): void {
    const running = this.#running;
    if (running === null || elapsed() - running.since < PATIENCE_MS) return;
    const terminal = this.#terminal;
    const name = cut(shown(running.task), NAME_WIDTH);
    const took = duration(elapsed() - running.since);
    const how = running.fraction === null ? '' : `  ${bar(running.fraction, BAR_WIDTH)}`;
    terminal.live(`${INDENT}${terminal.paint('cyan', '▸')} ${name.padEnd(Math.min(30, NAME_WIDTH))}${how}  ${took}`);
  }
}

/** The last part of its path. */
const shown = (task: string): string => task.slice(task.lastIndexOf('/') + 1);
