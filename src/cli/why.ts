/** `pumice why ID`: six sentences about anything that has an id, read from the database, whether a server runs or not. */
import { type Database, openDatabase } from '../db/database.ts';
import type { FlowState } from '../engine/journal.ts';
import { readWhy } from '../why/read-why.ts';
import { subjectsBeginning } from '../why/subject.ts';
import type { Why, WhyState } from '../why/why.ts';
import { firstOf, LOOKED_FOR } from './ambiguous.ts';
import { type ConfigFlags, configurationOf } from './configuration.ts';
import type { CliContext } from './context.ts';
import { Complaint, EXIT } from './exit-codes.ts';
import { STYLES } from './flows-list.ts';
import { printable, type Terminal, wrap } from './terminal.ts';

export interface WhyOptions extends ConfigFlags {
  readonly json?: boolean;
}

export async function why(typed: string, options: WhyOptions, { out }: CliContext): Promise<number> {
  const db = await openDatabase(configurationOf(options).database.url, { as: 'tool' });
  try {
    // As a narrow table shows it.
    const asked = typed.trim().replace(/…$/, '');
    const told = (await readWhy(db, asked)) ?? (await whyOfBeginning(db, asked));
    if (!told)
      throw new Complaint(
        `Nothing is known of ${JSON.stringify(asked)}: no volume, snapshot, group, backup, attachment or flow has an id that begins so, and no request has that id; or what worked on it is forgotten.`,
      );
    if (options.json) out.line(JSON.stringify(told, null, 2));
    else out.lines(whyLines(out, told));
    return EXIT.ok;
  } finally {
    await db.close();
  }
}

/** Of the one thing whose id begins so. Rejects with `Complaint` when there are several. */
async function whyOfBeginning(db: Database, asked: string): Promise<Why | undefined> {
  const meant = await subjectsBeginning(db.read, asked, LOOKED_FOR);
  const [one] = meant;
  if (one === undefined) return undefined;
  if (meant.length > 1) throw new Complaint(`More than one id begins with ${asked}: ${firstOf(meant)}.`);
  return readWhy(db, one);
}

const TEXT_WIDTH = 100;
const TITLE = 10;

const STYLE_OF: Readonly<Record<WhyState, FlowState>> = {
  running: 'running',
  waiting: 'pending',
  retrying: 'reverting',
  stuck: 'stuck',
  failed: 'reverted',
  done: 'success',
  rest: 'success',
};

export function whyLines(terminal: Terminal, told: Why): string[] {
  const state = told.state === 'rest' ? 'at rest' : told.state;
  const about = told.name === null ? told.about : `${told.name}  ${told.about}`;
  const width = Math.min(TEXT_WIDTH, terminal.width) - TITLE - 3;
  const sentences: readonly (readonly [string, { readonly text: string } | null])[] = [
    ['status', told.status === null ? null : { text: told.status }],
    ['what', told.what],
    ['since', told.since],
    ['how far', told.how_far],
    ['waits for', told.waits_for],
    ['failed', told.last_failure],
    ['told', told.last_failure?.user_message == null ? null : { text: told.last_failure.user_message }],
    ['next', told.next],
  ];
  return [
    `${terminal.paint('bold', printable(about))}  ${terminal.paint(STYLES[STYLE_OF[told.state]], state)}`,
    ...sentences.flatMap(([title, sentence]) =>
      sentence === null
        ? []
        : wrap(printable(sentence.text), width).map(
            (line, index) => `  ${terminal.paint('dim', (index === 0 ? title : '').padEnd(TITLE))} ${line}`,
          ),
    ),
    ...(told.others.length === 0
      ? []
      : [`  ${terminal.paint('dim', 'beside'.padEnd(TITLE))} ${told.others.length} more at work on it`]),
  ];
}
