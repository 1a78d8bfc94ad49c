/** A client of the stream of events, as a browser's is: it keeps the id of the last frame, and can come back with it. */
import assert from 'node:assert/strict';
import { type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { PROJECT, USER } from './world.ts';

export interface Told {
  readonly is: 'event' | 'flow';
  readonly resource: string;
  readonly [field: string]: unknown;
}

export interface EventFrame {
  /** `reset`, `changes`; undefined for a comment. */
  readonly event: string | undefined;
  readonly changes: readonly Told[];
}

export class EventReader {
  readonly frames: EventFrame[] = [];
  status = 0;
  headers: IncomingHttpHeaders = {};
  /** Bytes as they came. */
  text = '';
  last: string | undefined;
  /** Resolves when the server has answered, rejects when it cannot be reached. */
  readonly answered: Promise<void>;
  /** Resolves when the answer has ended, however. */
  readonly ended: Promise<void>;
  readonly #request: ReturnType<typeof request>;

  constructor(address: string, { token = `${USER}:${PROJECT}`, last = '', after = '' } = {}) {
    const { promise: ended, resolve: end } = Promise.withResolvers<void>();
    this.ended = ended;
    this.last = last === '' ? undefined : last;
    const headers = {
      accept: 'text/event-stream',
      'x-auth-token': token,
      ...(last !== '' && { 'last-event-id': last }),
    };
    const query = after === '' ? '' : `?after=${encodeURIComponent(after)}`;
    this.#request = request(`${address}/pumice/v1/events${query}`, { headers, agent: false });
    this.answered = new Promise((resolve, reject) => {
      this.#request.once('error', (error) => {
        end();
        reject(error);
      });
      this.#request.once('response', (answer) => {
        this.#read(answer);
        answer.once('close', end).on('error', () => {});
        resolve();
      });
    });
    this.answered.catch(() => {});
    this.#request.end();
  }

  get events(): string[] {
    return this.frames.flatMap(({ event }) => (event === undefined ? [] : [event]));
  }

  get changes(): Told[] {
    return this.frames.flatMap(({ changes }) => changes);
  }

  /** The first change of this kind, now or later. */
  async change(wanted: (told: Told) => boolean): Promise<Told> {
    await until(() => this.changes.some(wanted));
    return this.changes.find(wanted) as Told;
  }

  close(): void {
    this.#request.destroy();
  }

  #read(answer: IncomingMessage): void {
    this.status = answer.statusCode ?? 0;
    this.headers = answer.headers;
    let rest = '';
    answer.setEncoding('utf8').on('data', (text: string) => {
      this.text += text;
      const blocks = (rest + text).split('\n\n');
      rest = blocks.pop() ?? '';
      for (const block of blocks) this.#take(block);
    });
  }

  #take(block: string): void {
    const field = (name: string): string | undefined => new RegExp(`^${name}: (.*)$`, 'm').exec(block)?.[1];
    this.last = field('id') ?? this.last;
    const { changes = [] } = JSON.parse(field('data') ?? '{}') as { readonly changes?: readonly Told[] };
    if (field('retry') === undefined) this.frames.push({ event: field('event'), changes });
  }
}

export async function until(condition: () => boolean): Promise<void> {
  for (const deadline = performance.now() + 30_000; !condition(); await delay(5))
    assert.ok(performance.now() < deadline, `never happened: ${condition}`);
}

/** Reads on and on, coming back with the last id whenever the stream ends or cannot be had. */
export class LastingReader {
  readonly #address: string;
  readonly #done: Promise<void>;
  readonly #before: EventReader[] = [];
  #now: EventReader;
  #stopped = false;

  constructor(address: string) {
    this.#address = address;
    this.#now = new EventReader(address);
    this.#done = this.#run();
  }

  get changes(): Told[] {
    return [...this.#before, this.#now].flatMap((reader) => reader.changes);
  }

  get events(): string[] {
    return [...this.#before, this.#now].flatMap((reader) => reader.events);
  }

  get isOpen(): boolean {
    return this.#now.frames.length > 0;
  }

  /** How often it was answered with something that is no stream. */
  get refusals(): number {
    return this.#before.filter(({ status }) => status !== 200 && status !== 0).length;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#now.close();
    await this.#done;
  }

  async #run(): Promise<void> {
    for (;;) {
      await this.#now.ended;
      if (this.#stopped) return;
      await delay(20);
      this.#before.push(this.#now);
      this.#now = new EventReader(this.#address, { last: this.#now.last ?? '' });
    }
  }
}
