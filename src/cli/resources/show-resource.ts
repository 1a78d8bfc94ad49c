/** `pumice volumes|snapshots|groups|backups show`: what it is, and of each flow at work on it where that stands and what it waits for. */
import { type Database, openDatabase } from '../../db/database.ts';
import { flowsOn } from '../../db/flows-on.ts';
import { DatabaseJournal } from '../../db/journal.ts';
import { whatKeeps } from '../../db/journal-holds.ts';
import type { FlowRow } from '../../engine/journal.ts';
import { type Story, tellStory } from '../../engine/story.ts';
import { FLOWS } from '../../flows/registry.ts';
import { now, type Timestamp } from '../../lib/clock.ts';
import { age, clockTime } from '../../lib/times.ts';
import { shortId } from '../../why/short-id.ts';
import { type ConfigFlags, configurationOf } from '../configuration.ts';
import type { CliContext } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import { STYLES } from '../flows-list.ts';
import { standing } from '../flows-show.ts';
import { printable, type Terminal } from '../terminal.ts';
import { findResource } from './find-resource.ts';
import type { ResourceKind, ResourceRow } from './kind.ts';
import { type AtWork, resourceFacts, statusCell } from './list-resources.ts';

export interface ShowResourceOptions extends ConfigFlags {
  readonly json?: boolean;
}

export async function showResource<Row extends ResourceRow>(
  kind: ResourceKind<Row>,
  typed: string,
  options: ShowResourceOptions,
  { out }: CliContext,
): Promise<number> {
  const db = await openDatabase(configurationOf(options).database.url, { as: 'tool' });
  try {
    const row = await findResource(kind, db, typed);
    const resource = `${kind.word}:${row.id}`;
    const flows = await flowsOn(db.read, [resource]);
    const working = flows.get(resource) ?? [];
    const holders = await whatKeeps(
      db.read,
      working.map(({ id }) => id),
    );
    if (options.json) out.line(JSON.stringify(resourceFacts(kind, row, { flows, holders }), null, 2));
    else {
      const details = await kind.details(db, row);
      const stories = await storiesOf(db, working);
      const last = await lastOf(db, resource);
      out.lines(resourceLines(out, kind.word, row, details, { stories, holders, last }, now()));
    }
    return EXIT.ok;
  } finally {
    await db.close();
  }
}

async function storiesOf(db: Database, flows: readonly FlowRow[]): Promise<readonly Story[]> {
  const journal = new DatabaseJournal(db);
  return Promise.all(flows.map(async (flow) => tellStory(FLOWS, flow, await journal.steps(flow.id))));
}

/** The flow that was begun last for it. */
async function lastOf(db: Database, resource: string): Promise<FlowRow | undefined> {
  const [last] = await new DatabaseJournal(db).list({ resource, limit: 1 });
  return last;
}

/** What is at work on one resource; `last` tells of one that nothing works on. */
interface ToldWork extends Pick<AtWork, 'holders'> {
  readonly stories: readonly Story[];
  readonly last: FlowRow | undefined;
}

export function resourceLines(
  terminal: Terminal,
  word: string,
  row: ResourceRow,
  details: readonly (readonly [name: string, value: string | null])[],
  { stories, holders, last }: ToldWork,
  at: Timestamp,
): string[] {
  const status = statusCell(row);
  const shown = typeof status === 'string' ? status : terminal.paint(status.style, status.text);
  const facts: readonly (readonly [string, string | null])[] = [
    [word, row.id],
    ['project', row.projectId],
    ...details,
    ['created', `${clockTime(row.createdAt)} UTC`],
  ];
  return [
    `${terminal.paint('bold', printable(row.name ?? row.id))}  ${shown}`,
    ...facts.flatMap(([name, value]) =>
      value === null ? [] : [`  ${terminal.paint('dim', name.padEnd(10))} ${printable(value)}`],
    ),
    ...stories.flatMap((story) => [
      '',
      flowLine(terminal, story.flow, at),
      ...standing(terminal, story, holders.get(story.flow.id) ?? [], at),
    ]),
    ...(stories.length > 0 ? [] : ['', idleLine(terminal, last, at)]),
  ];
}

const flowLine = (terminal: Terminal, { id, name, state, createdAt }: FlowRow, at: Timestamp): string =>
  `${terminal.paint('bold', name)} ${shortId(id)}  ${terminal.paint(STYLES[state], state)} for ${age(createdAt, at)}`;

function idleLine(terminal: Terminal, last: FlowRow | undefined, at: Timestamp): string {
  if (last?.endedAt == null) return terminal.paint('dim', 'Nothing works on it.');
  const ended = `${last.name} ${shortId(last.id)} ended ${age(last.endedAt, at)} ago: ${last.state}`;
  return terminal.paint('dim', `Nothing works on it. ${ended} (\`pumice flows show ${shortId(last.id)}\`).`);
}
