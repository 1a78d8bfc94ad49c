/**
 * The end of a switch over kinds. It does not compile while a kind is left over, so that a new one is named wherever its kind
 * is asked for; and it throws, should a value come that no type allows.
 */
export function unhandled(kind: never): never {
  throw new TypeError(`There is no kind ${JSON.stringify(kind)}.`);
}
