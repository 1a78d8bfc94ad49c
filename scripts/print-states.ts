/** Prints `docs/states.md` from the life cycles in `src/model`. A test fails when the two differ. */
import { BACKUP_RESET_STATUSES, BACKUP_STATUSES, BACKUP_TRANSITIONS } from '../src/model/backup-status.ts';
import {
  GROUP_SNAPSHOT_STATUSES,
  GROUP_SNAPSHOT_TRANSITIONS,
  GROUP_STATUSES,
  GROUP_TRANSITIONS,
} from '../src/model/group-status.ts';
import {
  ATTACH_STATUSES,
  IN_MAINTENANCE,
  SNAPSHOT_STATUSES,
  SNAPSHOT_TRANSITIONS,
  VOLUME_RESET_STATUSES,
  VOLUME_STATUSES,
  VOLUME_TRANSITIONS,
} from '../src/model/status.ts';
import type { Transition } from '../src/model/transition.ts';

const PREFACE = `# States

Printed from \`src/model/status.ts\`, \`src/model/group-status.ts\` and \`src/model/backup-status.ts\` by \`npm run docs\`; edit them there.

Each arrow is one conditional update of the row, made in the transaction of the request (into *during*) or of the last step
of the flow (into *success* or *failure*). Two requests therefore never both leave the same status; the one that comes second
is answered 400, a revert 409. While a status is in the *during* column a flow holds the resource, and only that flow moves it on: after a
crash the flow is finished or reverted, so no resource stays there.

*previous* is the status before the operation, *mended* the same, but available where that was an error; *gone* means that there is no row any more; *as attached* is what the volume's
attachments make of it, where its status says nothing else. Of a failed operation a user message says why.
A volume in an error status keeps its quota until it is deleted.
`;

export function statesMarkdown(): string {
  return [
    PREFACE,
    '## Volume\n',
    table(VOLUME_TRANSITIONS),
    `All statuses: ${list(VOLUME_STATUSES)}. An administrator may say any of them (\`os-reset_status\`), but for ${list(VOLUME_STATUSES.filter((each) => !VOLUME_RESET_STATUSES.includes(each)))}; what is then done or refused is in [attach.md](attach.md#when-a-status-is-reset).\n`,
    `A migration that is asked for with \`lock_volume\` makes the volume ${IN_MAINTENANCE} until it ends.\n`,
    `\`attach_status\`: ${list(ATTACH_STATUSES)}.\n`,
    '`managing` is shown as `creating`, `error_managing` as `error`, as Cinder shows them.\n',
    '## Snapshot\n',
    table(SNAPSHOT_TRANSITIONS),
    `All statuses: ${list(SNAPSHOT_STATUSES)}.\n`,
    '## Group\n',
    table(GROUP_TRANSITIONS),
    `All statuses: ${list(GROUP_STATUSES)}.\n`,
    '## Group snapshot\n',
    table(GROUP_SNAPSHOT_TRANSITIONS),
    `All statuses: ${list(GROUP_SNAPSHOT_STATUSES)}.\n`,
    '## Backup\n',
    table(BACKUP_TRANSITIONS),
    `All statuses: ${list(BACKUP_STATUSES)}. An administrator may say ${list(BACKUP_RESET_STATUSES)} (\`os-reset_status\`).\n`,
    '## Flow\n',
    FLOW,
  ].join('\n');
}

const FLOW = `| state | means | goes on by |
|---|---|---|
| pending | begun in a request's transaction; nothing has run yet | itself |
| running | its tasks run, forward | itself |
| reverting | a failure is journaled; reverts run, newest first | itself |
| stuck | a revert failed again and again | an operator: \`pumice flows resume\`, or \`abandon\` |
| success | all tasks are done; its holds are released | – |
| reverted | every task that had started was reverted; its holds are released | – |
`;

type Table = Readonly<Record<string, Transition<string>>>;

function table(transitions: Table): string {
  const lines = Object.entries(transitions).map(([name, { from, also, during, success, failure }]) => {
    const more = also === undefined ? '' : `; ${also.when}: ${list(also.from)}`;
    return `| ${name} | ${list(from)}${more} | ${list(during)} | ${success} | ${failure} |`;
  });
  return `| operation | from | during | success | failure |\n|---|---|---|---|---|\n${lines.join('\n')}\n`;
}

const list = (statuses: readonly string[] | 'any'): string =>
  statuses === 'any' ? statuses : statuses.join(', ') || '–';
