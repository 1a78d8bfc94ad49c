/**
 * What each span of the other database was like when it was last brought over whole, with nothing to tell of it: a span that is still so is here
 * as it is there. A span is forgotten before its rows are written, so that a death between cannot leave one that is not true.
 */
import type { Tx } from './sql/tx.ts';

/** By the span's name. */
export type SpanDigests = ReadonlyMap<string, string>;

export async function findSpans({ db }: Pick<Tx, 'db'>, step: string): Promise<SpanDigests> {
  const rows = await db.selectFrom('import_span').select(['up_to', 'digest']).where('step', '=', step).execute();
  return new Map(rows.map(({ up_to, digest }) => [up_to, digest]));
}

/** Other spans of the step are forgotten. */
export async function keepSpans({ db }: Tx, step: string, spans: SpanDigests): Promise<void> {
  await db.deleteFrom('import_span').where('step', '=', step).execute();
  const rows = [...spans].map(([up_to, digest]) => ({ step, up_to, digest }));
  for (let from = 0; from < rows.length; from += AT_ONCE)
    await db
      .insertInto('import_span')
      .values(rows.slice(from, from + AT_ONCE))
      .execute();
}

const AT_ONCE = 1000;
