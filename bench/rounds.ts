/**
 * Rounds: each subject once a round, one after the other, and every second round the other way round, so that neither a slow
 * minute of the machine nor the place in the order decides.
 */
/** What is not there is not measured. */
type Subjects = Readonly<Record<string, (() => Promise<unknown>) | undefined>>;

/** One result a round for each subject, in the order of the rounds. */
export type Rounds<S extends Subjects> = { readonly [K in keyof S]: Awaited<ReturnType<NonNullable<S[K]>>>[] };

export async function rounds<const S extends Subjects>(
  count: number,
  subjects: S,
  tell: (text: string) => void,
): Promise<Rounds<S>> {
  const names = Object.keys(subjects).filter((name) => subjects[name] !== undefined);
  const results: Record<string, unknown[]> = Object.fromEntries(Object.keys(subjects).map((name) => [name, []]));
  for (let round = 0; round < count; round += 1) {
    for (const name of round % 2 === 0 ? names : names.toReversed()) {
      tell(`round ${round + 1} of ${count}: ${name}`);
      results[name]?.push(await subjects[name]?.());
    }
  }
  return results as Rounds<S>;
}
