/**
 * Names of a session's statements on PostgreSQL: a statement with a name is parsed and planned once a session, any other each time
 * it is sent.
 */

/** Texts with lists of varying length would fill the server's memory; those that matter are among the first a session sends. */
const MOST = 300;

export class StatementNames {
  readonly #names = new Map<string, string>();

  /** The name of a text, the same each time. Undefined when there are too many already. */
  of(text: string): string | undefined {
    const known = this.#names.get(text);
    if (known !== undefined || this.#names.size >= MOST) return known;
    const name = `statement-${this.#names.size}`;
    this.#names.set(text, name);
    return name;
  }
}
