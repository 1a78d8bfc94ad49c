/** Lines of a TOML file. */

export type TomlValue = string | number | boolean | readonly string[];

export function tomlLine(key: string, value: TomlValue): string {
  return `${key} = ${tomlValue(value)}`;
}

function tomlValue(value: TomlValue): string {
  if (typeof value === 'string') return tomlText(value);
  if (typeof value === 'object') return `[${value.map(tomlText).join(', ')}]`;
  return String(value);
}

/** JSON's escapes are TOML's, but that TOML wants DEL escaped, too. */
const tomlText = (text: string): string => JSON.stringify(text).replaceAll('\u007f', '\\u007F');
