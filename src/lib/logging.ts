/**
 * The log: one JSON line an event, on standard error.
 *
 * The message is a constant and the facts are fields (`request_id`, `flow_id`, `task`, `volume_id`, `host`, `err`), so that
 * lines can be counted and searched; `child` carries fields along. An error is printed with its causes, each saying what its
 * own layer was doing.
 *
 * Redaction is decided here alone, by the name of the field at any depth: tokens, passwords, keys, and the connection info
 * that opens a volume. A secret inside a text of another name is not found, except in a URL; so facts are never pasted into
 * messages.
 */
import { type Bindings, type ChildLoggerOptions, type Level, type Logger, pino } from 'pino';

export type Log = Logger;
export type { Level };

export interface LogOptions {
  readonly level: string;
  /** Fields of every line, such as the node's name. */
  readonly fields?: Readonly<Record<string, unknown>>;
  /** Where lines go. Default: standard error, written before the call returns. */
  readonly to?: { write(line: string): void };
}

/** Bytes of lines that wait for room; more are dropped. */
const LONGEST_QUEUE = 1024 ** 2;

/**
 * A descriptor or a file to log to. A line is written before the call returns; where that cannot be (a full disk), it waits for the
 * next line, and nobody who logs is told: what they do matters more than that it is told of.
 */
export function logTo(dest: number | string): { write(line: string): void } {
  const to = pino.destination({ dest, sync: true, maxLength: LONGEST_QUEUE, mode: 0o640 });
  return to.on('error', () => {});
}

export function createLog({ level, fields = {}, to = logTo(2) }: LogOptions): Log {
  const log = pino(
    {
      level,
      base: fields,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }), log: safeFields },
      serializers: { err: safe, req: requestFacts, res: responseFacts },
      hooks: { streamWrite: withoutPasswords },
    },
    to,
  );
  const children = new Set<Log>();
  descendants.set(log, children);
  // pino formats the fields of a line, not those a child is born with.
  const child: (this: Log, fields: Bindings, options?: ChildLoggerOptions) => Log = log.child;
  const safeChild: typeof child = function (fields, options) {
    const made = child.call(this, safeFields(fields), options);
    children.add(made);
    return made;
  };
  return Object.assign(log, { child: safeChild });
}

/** Each log with all that was made of it. Children live as long as what they tell of: a backend, not a request. */
const descendants = new WeakMap<Log, Set<Log>>();

/** Changes the level of a log and of its children, which pino gives a level of their own when they are made. */
export function setLogLevel(log: Log, level: Level): void {
  for (const each of [log, ...(descendants.get(log) ?? [])]) each.level = level;
}

/** A log that says nothing, for tests. */
export const silentLog: Log = pino({ level: 'silent' }, { write: () => undefined });

const SECRET = /token|passw|secret|cookie|keyring|^chap|^authorization$|^authkey$|^connectioninfo$/;
const HIDDEN = '[hidden]';
/** Deeper than any line of ours; a loop of references ends here. */
const DEPTH = 8;

const isSecret = (key: string): boolean => SECRET.test(key.toLowerCase().replaceAll(/[-_]/g, ''));

function safeFields(fields: object, depth = 0): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).map(([key, value]) => [
      key,
      isSecret(key) && value != null ? HIDDEN : safe(value, depth + 1),
    ]),
  );
}

/** The same without secrets, errors as plain objects. */
function safe(value: unknown, depth = 0): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (depth >= DEPTH) return '[too deep]';
  if (value instanceof Error) return errorFacts(value, depth);
  if (Array.isArray(value)) return value.map((item) => safe(item, depth + 1));
  // Instances know how to print themselves, or have a serializer.
  const isPlain = [Object.prototype, null].includes(Object.getPrototypeOf(value));
  return isPlain ? safeFields(value, depth) : value;
}

function errorFacts(error: Error, depth: number): Record<string, unknown> {
  const { cause, ...fields } = error;
  return {
    ...safeFields(fields, depth),
    type: error.name,
    message: error.message,
    stack: error.stack,
    ...(error.cause !== undefined && { cause: safe(error.cause, depth + 1) }),
    ...(error instanceof AggregateError && { errors: safe(error.errors, depth + 1) }),
  };
}

/** A line with the password of each `scheme://user:password@host` hidden. */
const withoutPasswords = (line: string): string =>
  line.includes('://') ? line.replaceAll(/(:\/\/[^\s"/:@]*):[^\s"/@]*@/g, `$1:${HIDDEN}@`) : line;

interface Request {
  readonly method?: string;
  readonly url?: string;
  readonly ip?: string;
}

const requestFacts = ({ method, url, ip }: Request) => ({ method, url, ip });
const responseFacts = ({ statusCode }: { readonly statusCode?: number }) => ({ statusCode });
