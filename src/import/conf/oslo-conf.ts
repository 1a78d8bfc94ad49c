/**
 * Reads a file of oslo.config, as cinder.conf is one. It looks like INI and TOML and is neither: a value goes on in lines that are indented, a
 * blank line ends it, `:` assigns as `=` does, a comment is a line of its own that begins with # or ;, one pair of quotes around a value is taken off,
 * an option that is said again is stronger (some are lists of all that is said), `$option` and `${group.option}` stand for other options, and %
 * means nothing. Names of groups are the same in any case, but for DEFAULT.
 *
 * Compared with oslo.config 9.0 itself by a test.
 */

/** It cannot be read; the message says which line. */
export class OsloConfInvalid extends Error {
  override readonly name = 'OsloConfInvalid';
}

/** What Cinder would take for an option that no file says, where others are made of it. */
const DEFAULTS: Readonly<Record<string, string>> = { state_path: '/var/lib/cinder' };

/** How many options may stand for one another in a row. */
const DEEPEST = 10;

export class OsloConf {
  readonly #groups = new Map<string, Map<string, string[]>>();

  /** Throws `OsloConfInvalid`. */
  constructor(text: string, file: string) {
    let group: Map<string, string[]> | undefined;
    let key: string | undefined;
    let parts: string[] = [];
    const flush = (): void => {
      if (key === undefined || group === undefined) return;
      const values = group.get(key);
      if (values === undefined) group.set(key, [parts.join('\n')]);
      else values.push(parts.join('\n'));
      key = undefined;
    };
    for (const [index, whole] of text.split(/\r\n|[\n\r]/).entries()) {
      const refuse = (why: string): never => {
        // The line may hold a password.
        throw new OsloConfInvalid(`${file}, line ${index + 1}: ${why}.`);
      };
      const line = whole.trimEnd();
      if (line === '') flush();
      else if (/^[ \t]/.test(line)) {
        if (key === undefined) refuse('it is indented, and goes on with no option');
        parts.push(line.trimStart());
      } else {
        flush();
        if (line.startsWith('[')) {
          if (!line.endsWith(']') || line.length <= 2) refuse('the name of a section ends with ]');
          group = this.#group(line.slice(1, -1));
        } else if (!/^[#;]/.test(line)) {
          const at = line.search(/[:=]/);
          if (at < 0) refuse('it assigns nothing, there is no = in it');
          if (at === 0) refuse('there is no name before the =');
          if (group === undefined) refuse('an option stands before the first section');
          key = line.slice(0, at).trim();
          parts = [unquoted(line.slice(at + 1).trim())];
        }
      }
    }
    flush();
  }

  /** Undefined: nobody says it. Of several the last. */
  value(group: string, option: string): string | undefined {
    return this.values(group, option).at(-1);
  }

  /** All that is said, in its order. */
  values(group: string, option: string): readonly string[] {
    const all = this.#groups.get(normalized(group))?.get(option) ?? [];
    return all.map((value) => this.#substituted(value, group, 0));
  }

  /** `a, b` */
  list(group: string, option: string): readonly string[] | undefined {
    return this.value(group, option)
      ?.split(',')
      .map((each) => each.trim())
      .filter((each) => each !== '');
  }

  /** Undefined: nobody says it, or it is neither true nor false. */
  flag(group: string, option: string): boolean | undefined {
    const value = this.value(group, option)?.toLowerCase();
    if (value !== undefined && ['true', '1', 'on', 'yes'].includes(value)) return true;
    return value !== undefined && ['false', '0', 'off', 'no'].includes(value) ? false : undefined;
  }

  has(group: string): boolean {
    return this.#groups.has(normalized(group));
  }

  options(group: string): readonly string[] {
    return [...(this.#groups.get(normalized(group))?.keys() ?? [])];
  }

  #group(name: string): Map<string, string[]> {
    const key = normalized(name);
    const group = this.#groups.get(key) ?? new Map<string, string[]>();
    this.#groups.set(key, group);
    return group;
  }

  /** What stands for an option that nobody says stays as it is written. */
  #substituted(value: string, group: string, depth: number): string {
    if (depth > DEEPEST || !value.includes('$')) return value;
    const named = /\$(?:\$|([_a-z][._a-z0-9]*)|\{([_a-z][._a-z0-9]*)\})/gi;
    return value.replaceAll('\\$', '$$$$').replaceAll(named, (written, plain?: string, braced?: string) => {
      const name = plain ?? braced;
      if (name === undefined) return '$';
      const dot = name.indexOf('.');
      const [of, option] = dot < 0 ? [group, name] : [name.slice(0, dot), name.slice(dot + 1)];
      const raw = this.#raw(of, option) ?? this.#raw('DEFAULT', name) ?? (dot < 0 ? DEFAULTS[name] : undefined);
      return raw === undefined ? written : this.#substituted(raw, of, depth + 1);
    });
  }

  #raw(group: string, option: string): string | undefined {
    return this.#groups.get(normalized(group))?.get(option)?.at(-1);
  }
}

const normalized = (group: string): string => (group === 'DEFAULT' ? group : group.toLowerCase());

function unquoted(value: string): string {
  const [first] = value;
  return (first === '"' || first === "'") && value.endsWith(first) ? value.slice(1, -1) : value;
}
