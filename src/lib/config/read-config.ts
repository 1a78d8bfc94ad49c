/**
 * Reads the configuration: a TOML file, then `--set SECTION.KEY=VALUE`, then nothing. No environment variable is looked at.
 *
 * All mistakes are found in one go and told in the operator's words, with the place, the wanted value and the given one; a
 * misspelt name brings the nearest known one. The result is complete (defaults filled in, paths absolute) and frozen. The
 * value of a secret is in no message.
 *
 * A path in the file is relative to the file; a default, or a path after `--set`, to the working directory.
 */
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { parse, TomlError } from 'smol-toml';
import { nearest } from '../nearest.ts';
import { type Config, configSchema } from './config.ts';
import { type ConfigDraft, completed, contradictions } from './config-rules.ts';
import { accepts, isTable, type OptionSchema, shapeOf } from './option-schema.ts';

/** All that is wrong with a configuration. */
export class ConfigInvalid extends Error {
  override readonly name = 'ConfigInvalid';
  readonly problems: readonly string[];
  constructor(from: string, problems: readonly string[], options?: ErrorOptions) {
    super(`${from} cannot be used:\n${problems.map((problem) => `  ${problem}`).join('\n')}`, options);
    this.problems = problems;
  }
}

export interface ConfigSource {
  /** The text of the file. Empty: every option has its default. */
  readonly toml?: string;
  /** What relative paths in the text are relative to. Default: the working directory. */
  readonly directory?: string;
  /** What to call the text in messages. */
  readonly from?: string;
  /** `SECTION.KEY=VALUE`, each stronger than the file and than those before it. */
  readonly set?: readonly string[];
}

/** The configuration in `file`; without one, the defaults. */
export function readConfig(file: string | undefined, set: readonly string[] = []): Config {
  if (file === undefined) return parseConfig({ set });
  let toml: string;
  try {
    toml = readFileSync(file, 'utf8');
  } catch (cause) {
    throw new ConfigInvalid(file, ['It cannot be read.'], { cause });
  }
  return parseConfig({ toml, set, from: file, directory: dirname(resolve(file)) });
}

export function parseConfig({
  toml = '',
  directory = '.',
  from = 'The configuration',
  set = [],
}: ConfigSource): Config {
  const problems: string[] = [];
  let file: Table;
  try {
    file = parse(toml);
  } catch (cause) {
    throw new ConfigInvalid(from, [cause instanceof TomlError ? cause.message.trim() : String(cause)], { cause });
  }
  const table = withOverrides(file, set, problems);
  const reading: Reading = { directory: resolve(directory), dataDirectory: '', problems };
  const root = configSchema as unknown as OptionSchema;
  const data = root.properties?.data_directory;
  if (data) {
    const { value } = readOption(data, table.data_directory, '', { ...reading, problems: [] });
    reading.dataDirectory = typeof value === 'string' ? value : '';
  }
  const read = readTable(root, table, [], reading) as ConfigDraft;
  if (problems.length > 0) throw new ConfigInvalid(from, problems);
  const config = completed(read);
  const found = contradictions(config);
  if (found.length > 0) throw new ConfigInvalid(from, found);
  return deepFreeze(config);
}

type Table = Record<string, unknown>;

interface Reading {
  readonly directory: string;
  dataDirectory: string;
  readonly problems: string[];
}

/** A value from the command line: text until the schema says what it is to be. */
class Override {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

function withOverrides(file: Table, set: readonly string[], problems: string[]): Table {
  const root = structuredClone(file);
  for (const assignment of set) {
    const [, path, text] = /^([A-Za-z0-9_:-]+(?:\.[A-Za-z0-9_:-]+)*)=(.*)$/s.exec(assignment) ?? [];
    if (path === undefined || text === undefined) {
      problems.push(`--set ${assignment}: wanted is SECTION.KEY=VALUE.`);
      continue;
    }
    const keys = path.split('.');
    const last = keys.pop() ?? '';
    let table = root;
    for (const key of keys) {
      const inner = table[key];
      const next = isTable(inner) ? inner : {};
      table[key] = next;
      table = next;
    }
    table[last] = new Override(text);
    // `url` and `url_file` are one option: the later word replaces either.
    delete table[last.endsWith('_file') ? last.slice(0, -'_file'.length) : `${last}_file`];
  }
  return root;
}

function readTable(schema: OptionSchema, given: unknown, path: readonly string[], reading: Reading): Table {
  const { problems } = reading;
  if (!isTable(given)) {
    problems.push(`${path.join('.')} is a section, not an option.`);
    return {};
  }
  if (schema.patternProperties) return readNamedTables(schema, given, path, reading);
  if (schema.choice !== undefined) {
    const chosen = chooseTable(schema, schema.choice, given, path, problems);
    return chosen === undefined ? {} : readTable(chosen, given, path, reading);
  }
  const options = schema.properties ?? {};
  for (const key of Object.keys(given)) {
    if (!Object.hasOwn(options, key) && !options[secretOf(key)]?.secret) problems.push(unknown(key, path, options));
  }
  const read: Table = {};
  for (const [key, option] of Object.entries(options)) {
    const here = [...path, key];
    const isSection = option.properties ?? option.patternProperties ?? option.choice;
    if (isSection !== undefined) {
      const value = Object.hasOwn(given, key) ? given[key] : (option.default ?? {});
      read[key] = readTable(option, value, here, reading);
      continue;
    }
    const found = option.secret
      ? readSecret(option, key, given, here.join('.'), reading)
      : readOption(option, given[key], here.join('.'), reading);
    if (found.value !== undefined) read[key] = found.value;
    else if (!found.wrong && schema.required?.includes(key) && option.computed === undefined) {
      problems.push(`${here.join('.')} is missing; it must be ${shapeOf(option)}.`);
    }
  }
  return read;
}

function readNamedTables(schema: OptionSchema, given: Table, path: readonly string[], reading: Reading): Table {
  const read: Table = {};
  for (const [pattern, entry] of Object.entries(schema.patternProperties ?? {})) {
    for (const [name, table] of Object.entries(given)) {
      if (new RegExp(pattern).test(name)) readNamed(entry, name, table, path, reading, read);
      else reading.problems.push(`${path.join('.')}: the name ${JSON.stringify(name)} must be ${schema.form}.`);
    }
  }
  return read;
}

/** A section, or one option, whose name is the operator's. */
function readNamed(
  entry: OptionSchema,
  name: string,
  given: unknown,
  path: readonly string[],
  reading: Reading,
  read: Table,
): void {
  const here = [...path, name];
  if (entry.properties ?? entry.patternProperties ?? entry.choice) {
    read[name] = readTable(entry, given, here, reading);
    return;
  }
  const { value } = readOption(entry, given, here.join('.'), reading);
  if (value !== undefined) read[name] = value;
}

/** The member of a union of sections that the option `choice` names. */
function chooseTable(
  schema: OptionSchema,
  choice: string,
  given: Table,
  path: readonly string[],
  problems: string[],
): OptionSchema | undefined {
  const kinds = new Map((schema.anyOf ?? []).map((kind) => [kind.properties?.[choice]?.const, kind]));
  const raw = given[choice] ?? (isTable(schema.default) ? schema.default[choice] : undefined);
  const value = raw instanceof Override ? raw.text : raw;
  const chosen = kinds.get(value);
  if (chosen === undefined) {
    const here = [...path, choice].join('.');
    const wanted = shapeOf({ enum: [...kinds.keys()] });
    problems.push(
      value === undefined
        ? `${here} is missing; it must be ${wanted}.`
        : `${here} must be ${wanted}; it is ${shown(value)}.`,
    );
  }
  if (chosen !== undefined && given[choice] === undefined) given[choice] = value;
  return chosen;
}

/** `value` is undefined when there is none, or when what was there is wrong and has been reported. */
interface Found {
  readonly value?: unknown;
  readonly wrong?: boolean;
}

function readOption(option: OptionSchema, raw: unknown, here: string, reading: Reading): Found {
  if (raw === undefined) {
    if (option.default === undefined) return {};
    return { value: placed(option, structuredClone(option.default), resolve('.'), reading) };
  }
  const value = raw instanceof Override ? fromText(option, raw.text) : raw;
  if (!accepts(option, value)) {
    const got = option.secret ? 'what is there is not' : `it is ${shown(value)}`;
    reading.problems.push(`${here} must be ${shapeOf(option)}; ${got}.`);
    return { wrong: true };
  }
  return { value: placed(option, value, raw instanceof Override ? resolve('.') : reading.directory, reading) };
}

function readSecret(option: OptionSchema, key: string, given: Table, here: string, reading: Reading): Found {
  const raw = given[`${key}_file`];
  if (raw === undefined) return readOption(option, given[key], here, reading);
  if (given[key] !== undefined) {
    reading.problems.push(`${here} and ${here}_file are both given; one is enough.`);
    return { wrong: true };
  }
  const pathOption: OptionSchema = { type: 'string', minLength: 1, path: '' };
  const { value: path, wrong } = readOption(pathOption, raw, `${here}_file`, reading);
  if (wrong) return { wrong };
  try {
    return readOption(option, readFileSync(String(path), 'utf8').trimEnd(), `${here}_file`, reading);
  } catch (error) {
    reading.problems.push(`${here}_file: ${String(path)} cannot be read (${(error as NodeJS.ErrnoException).code}).`);
    return { wrong: true };
  }
}

const secretOf = (key: string): string => (key.endsWith('_file') ? key.slice(0, -'_file'.length) : '');

/** Text of the command line as the option wants it; text that does not fit stays text, and the check says so. */
function fromText(option: OptionSchema, text: string): unknown {
  if (option.type === 'string' || option.enum || typeof option.const === 'string') return text;
  try {
    return parse(`value = ${text}`).value;
  } catch {
    return option.type === 'array' ? text.split(',').map((item) => item.trim()) : text;
  }
}

/** A path made absolute; anything else as it is. */
function placed(option: OptionSchema, value: unknown, base: string, { dataDirectory }: Reading): unknown {
  if (option.path === undefined || typeof value !== 'string' || !value.startsWith(option.path)) return value;
  const path = value.slice(option.path.length).replace(/^\$data_directory(?=\/|$)/, () => dataDirectory);
  return option.path + resolve(base, path);
}

function unknown(key: string, path: readonly string[], options: Readonly<Record<string, OptionSchema>>): string {
  const what = `${[...path, key].join('.')} is not known`;
  const near = nearest(key, Object.keys(options));
  if (near !== undefined) return `${what}; did you mean ${near}?`;
  const root = (configSchema as unknown as OptionSchema).properties ?? {};
  for (const [section, { properties }] of Object.entries(root)) {
    if (properties && Object.hasOwn(properties, key)) return `${what}; it belongs in [${section}].`;
  }
  return Object.hasOwn(root, key) ? `${what}; it belongs above all sections.` : `${what}.`;
}

const shown = (value: unknown): string => JSON.stringify(value) ?? String(value);

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) Object.values(Object.freeze(value)).forEach(deepFreeze);
  return value;
}
