/**
 * An option as JSON Schema writes it, and the keywords of our own that `config.ts` explains. Read by `read-config.ts` and
 * by the printer of `docs/configuration.md`.
 */
export interface OptionSchema {
  readonly type?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly OptionSchema[];
  readonly items?: OptionSchema;
  readonly minItems?: number;
  readonly uniqueItems?: boolean;
  readonly properties?: Readonly<Record<string, OptionSchema>>;
  readonly patternProperties?: Readonly<Record<string, OptionSchema>>;
  readonly required?: readonly string[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly pattern?: string;
  readonly default?: unknown;
  readonly description?: string;
  readonly computed?: string;
  readonly path?: string;
  readonly secret?: boolean;
  readonly form?: string;
  /** Of a union of sections: the option whose value says which. */
  readonly choice?: string;
}

export const isTable = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && [Object.prototype, null].includes(Object.getPrototypeOf(value));

/** Whether an option takes the value: the keywords above and no others. */
export function accepts(option: OptionSchema, value: unknown): boolean {
  if (option.anyOf) return option.anyOf.some((choice) => accepts(choice, value));
  if (option.enum) return option.enum.includes(value);
  if (option.const !== undefined) return value === option.const;
  const { minimum = -Infinity, maximum = Infinity, minLength = 0, pattern = '', items } = option;
  switch (option.type) {
    case 'boolean':
      return typeof value === 'boolean';
    case 'integer':
    case 'number':
      if (typeof value !== 'number' || !Number.isFinite(value)) return false;
      return value >= minimum && value <= maximum && (option.type === 'number' || Number.isInteger(value));
    case 'array':
      if (!Array.isArray(value) || value.length < (option.minItems ?? 0)) return false;
      if (option.uniqueItems && new Set(value).size < value.length) return false;
      return value.every((item) => items === undefined || accepts(items, item));
    default:
      return typeof value === 'string' && value.length >= minLength && new RegExp(pattern, 'u').test(value);
  }
}

/** In words, what an option takes. */
export function shapeOf(option: OptionSchema): string {
  if (option.const !== undefined) return JSON.stringify(option.const);
  if (option.enum) return either(option.enum.map((value) => JSON.stringify(value)));
  if (option.anyOf) return either(option.anyOf.map(shapeOf));
  switch (option.type) {
    case 'boolean':
      return 'true or false';
    case 'integer':
      return `a whole number${range(option)}`;
    case 'number':
      return `a number${range(option)}`;
    case 'array':
      return `a list of ${option.items ? shapeOf(option.items) : 'anything'}`;
    default:
      return option.form ?? (option.path === undefined ? 'text' : 'a path');
  }
}

function range({ minimum, maximum }: OptionSchema): string {
  if (minimum !== undefined && maximum !== undefined) return ` from ${minimum} to ${maximum}`;
  if (minimum !== undefined) return ` of at least ${minimum}`;
  return maximum === undefined ? '' : ` of at most ${maximum}`;
}

const either = (words: readonly string[]): string =>
  words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`;
