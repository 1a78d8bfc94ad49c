/**
 * The parser of `tgtadm --op show`. It prints for people, in levels of four blanks. Output that does not look so, or is cut
 * short, is an error: to take it for "there is none" would say of an export that it is gone.
 */
import { DriverFailed } from '../../model/errors.ts';

export class UnreadableAnswer extends DriverFailed {
  override readonly transient = true;
}

export interface Target {
  readonly tid: number;
  readonly name: string;
  /** Initiators that are logged in. One that has been ended is shown until all it had sent is done. */
  readonly sessions: readonly IscsiSession[];
  readonly units: readonly LogicalUnit[];
  readonly accounts: readonly string[];
  /** Initiators that may log in. */
  readonly initiators: readonly string[];
}

export interface IscsiSession {
  readonly id: number;
  readonly initiator: string;
  readonly connections: readonly number[];
}

export interface LogicalUnit {
  readonly lun: number;
  readonly scsiId: string;
  readonly online: boolean;
  readonly readOnly: boolean;
  readonly path: string;
}

/** `tgtadm --op show --mode target` */
export function parseTargets(text: string): Target[] {
  return blocks(text.split('\n'), 0).flatMap(({ head, body }) => {
    const [, tid, name] = /^Target (\d+): (.+)$/.exec(head) ?? [];
    if (tid === undefined || name === undefined) throw unreadable(head);
    const sections = new Map(
      blocks(body, 1).map((section) => [section.head.replace(/ information:$/, ''), section.body]),
    );
    if (!sections.has('ACL')) throw unreadable(head);
    const lines = (section: string): string[] => (sections.get(section) ?? []).map((line) => line.trim());
    return {
      tid: Number(tid),
      name,
      sessions: blocks(sections.get('I_T nexus') ?? [], 2).map(session),
      units: blocks(sections.get('LUN') ?? [], 2).map(unit),
      // An account that proves the target to the initiator says so behind its name.
      accounts: lines('Account').map((line) => line.split(' ')[0] ?? ''),
      initiators: lines('ACL'),
    };
  });
}

/** `tgtadm --op show --mode account` */
export function parseAccounts(text: string): string[] {
  if (text.trim() === '') return [];
  const [head = '', ...rest] = text.split('\n');
  if (head !== 'Account list:') throw unreadable(head);
  return rest.map((line) => line.trim()).filter((line) => line !== '');
}

/** `tgtadm --op show --mode portal` */
export function parsePortals(text: string): string[] {
  return text.split('\n').flatMap((line) => /^Portal: (\S+),\d+$/.exec(line.trim())?.[1] ?? []);
}

function session({ head, body }: Block): IscsiSession {
  const lines = body.map((line) => splitOnce(line.trim()));
  return {
    id: Number(splitOnce(head)[1]),
    initiator: lines.find(([name]) => name === 'Initiator')?.[1].split(' ')[0] ?? '',
    connections: lines.filter(([name]) => name === 'Connection').map(([, id]) => Number(id)),
  };
}

function unit({ head, body }: Block): LogicalUnit {
  const facts = new Map(body.map((line) => splitOnce(line.trim())));
  return {
    lun: Number(splitOnce(head)[1]),
    scsiId: facts.get('SCSI ID') ?? '',
    online: facts.get('Online') === 'Yes',
    readOnly: facts.get('Readonly') === 'Yes',
    path: facts.get('Backing store path') ?? '',
  };
}

function splitOnce(line: string): [string, string] {
  const colon = line.indexOf(': ');
  return colon < 0 ? [line.replace(/:$/, ''), ''] : [line.slice(0, colon), line.slice(colon + 2)];
}

const unreadable = (line: string): UnreadableAnswer =>
  new UnreadableAnswer(`What tgtadm shows cannot be read: ${JSON.stringify(line.slice(0, 100))}`);

interface Block {
  readonly head: string;
  readonly body: string[];
}

/** Lines of a level, each with the deeper ones that follow it. */
function blocks(lines: readonly string[], level: number): Block[] {
  const found: Block[] = [];
  const margin = ' '.repeat(level * 4);
  for (const line of lines) {
    if (line.trim() === '') continue;
    if (line.startsWith(margin) && line[margin.length] !== ' ') found.push({ head: line.trim(), body: [] });
    else found.at(-1)?.body.push(line);
  }
  return found;
}
