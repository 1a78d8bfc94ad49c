/** What is told of a beginning of an id, or a name, that several have: the first few of them. */

const NAMED = 5;

/** So many are looked for: of one more than are named it is known that there are more. */
export const LOOKED_FOR = NAMED + 1;

export const firstOf = (meant: readonly string[]): string =>
  `${meant.slice(0, NAMED).join(', ')}${meant.length > NAMED ? ', …' : ''}`;
