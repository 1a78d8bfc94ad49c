/**
 * The process in which librbd works (`rbd-helper.py`): its lines in and out, and its end. It dies with this process, also where that is
 * frozen or killed, and what it had begun in the cluster by then is for a fence to stop (`rbd-client.ts`).
 */
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { CommandFailed, CommandMissing, DIES_WITH_US, type Exec } from '../../lib/exec.ts';

const PROGRAM = join(import.meta.dirname, 'rbd-helper.py');
/** Debian's: its librbd is of the same version as its bindings, whatever else is called `python3`. */
const PYTHON = '/usr/bin/python3';
/** Of a line, characters: 100,000 images are told in a tenth of it. */
const LONGEST_LINE = 64 * 1024 ** 2;

/** After 20 lists of 1,000 images it has 70 MiB; with an arena of glibc for each of its threads 232, at the same speed. */
const FEW_ARENAS = { MALLOC_ARENA_MAX: '1' };

export interface RbdAddress {
  /** The path of a ceph.conf. */
  readonly conf: string;
  readonly user: string;
  readonly cluster: string;
  readonly pool: string;
  /** Options of the client beside those of its configuration: `name=value`. */
  readonly options?: readonly string[];
}

/** Who a helper is to the cluster. */
export interface Hello {
  /** `IP:0/NONCE`, by which it can be fenced. */
  readonly address: string;
  readonly fsid: string;
}

/** The helper could not do it. */
export class RbdFailed extends Error {
  override readonly name = 'RbdFailed';
  /** As in errno(3), positive; null where librbd did not say. */
  readonly errno: number | null;
  /** `missing`, `mismatch`, `busy` …: what an operation of ours has found. */
  readonly what: string | null;
  constructor(message: string, errno: number | null, what: string | null) {
    super(message);
    this.errno = errno;
    this.what = what;
  }
}

/** Whether it did what it was asked nobody knows. */
export class HelperEnded extends Error {
  override readonly name = 'HelperEnded';
}

interface Waiting {
  resolve(answer: unknown): void;
  reject(reason: unknown): void;
  progress(fraction: number): void;
}

export interface HelperOrder {
  readonly answer: Promise<unknown>;
  /** It ends soon, where librbd can be told to. */
  cancel(): void;
}

export class HelperProcess {
  /** Resolves when it is gone, with why. */
  readonly ended: Promise<Error>;
  readonly #input = new PassThrough();
  readonly #abort = new AbortController();
  readonly #hello = Promise.withResolvers<Hello>();
  readonly #waiting = new Map<number, Waiting>();
  readonly #pings = new Map<number, () => void>();
  #line = '';
  #last = 0;
  #why: Error | undefined;

  /** `threads`: so many operations at once. */
  constructor(exec: Exec, { conf, user, cluster, pool, options = [] }: RbdAddress, threads: number) {
    const args = [conf, user, cluster, pool, String(threads), ...options];
    this.ended = exec([...DIES_WITH_US, PYTHON, '-B', '-s', PROGRAM, ...args], {
      signal: this.#abort.signal,
      timeoutMs: Number.POSITIVE_INFINITY,
      input: this.#input,
      environment: FEW_ARENAS,
      onOutput: (text) => this.#hear(text),
    }).then(
      () => this.#end(new HelperEnded('The RBD helper has ended.')),
      (error: unknown) => this.#end(explained(error)),
    );
  }

  /** Resolves when it is connected, which may take for ever. Rejects when it has ended. */
  get hello(): Promise<Hello> {
    return this.#hello.promise;
  }

  /** Rejects with `RbdFailed`, or `HelperEnded`. */
  ask(op: string, args: object, progress: (fraction: number) => void = () => {}): HelperOrder {
    this.#last += 1;
    const id = this.#last;
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    if (this.#why !== undefined) reject(this.#why);
    else {
      this.#waiting.set(id, { resolve, reject, progress });
      this.#say({ id, op, args });
    }
    return { answer: promise, cancel: () => this.#say({ cancel: id }) };
  }

  /** Resolves when it answers, whatever the cluster does. */
  ping(): Promise<void> {
    this.#last += 1;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#pings.set(this.#last, resolve);
    this.#say({ ping: this.#last });
    return promise;
  }

  kill(): void {
    this.#abort.abort(new HelperEnded('The RBD helper was ended.'));
  }

  #say(message: object): void {
    this.#input.write(`${JSON.stringify(message)}\n`);
  }

  #hear(text: string): void {
    const lines = text.split('\n');
    lines[0] = this.#line + lines[0];
    this.#line = lines.pop() ?? '';
    if (this.#line.length > LONGEST_LINE) throw new HelperEnded('The RBD helper said too much at once.');
    for (const line of lines) this.#heard(JSON.parse(line));
  }

  #heard(message: Message): void {
    if ('hello' in message) this.#hello.resolve(message.hello);
    else if ('pong' in message) {
      this.#pings.get(message.pong)?.();
      this.#pings.delete(message.pong);
    } else if ('progress' in message) this.#waiting.get(message.id)?.progress(message.progress);
    else {
      const waiting = this.#waiting.get(message.id);
      this.#waiting.delete(message.id);
      if ('ok' in message) waiting?.resolve(message.ok);
      else waiting?.reject(new RbdFailed(message.error, message.errno, message.what));
    }
  }

  #end(why: Error): Error {
    this.#why = why;
    this.#input.destroy();
    this.#hello.promise.catch(() => {});
    this.#hello.reject(why);
    for (const { reject } of this.#waiting.values()) reject(why);
    this.#waiting.clear();
    return why;
  }
}

type Message =
  | { readonly hello: Hello }
  | { readonly pong: number }
  | { readonly id: number; readonly progress: number }
  | { readonly id: number; readonly ok: unknown }
  | { readonly id: number; readonly errno: number | null; readonly what: string | null; readonly error: string };

function explained(error: unknown): Error {
  if (error instanceof CommandMissing) return error;
  if (error instanceof CommandFailed) {
    const last = error.stderr.trim().split('\n').at(-1) ?? '';
    return new HelperEnded(`The RBD helper has ended: ${last === '' ? 'it was killed' : last}`, { cause: error });
  }
  return error instanceof Error ? error : new HelperEnded(String(error));
}
