/**
 * Check: every flow moves. None is stuck, none stands at one task for longer than the doctor's patience, none may kill its process. One
 * that waits for others moves when they do; they are looked at for themselves.
 */
import { DatabaseJournal } from '../../db/journal.ts';
import { whatKeeps } from '../../db/journal-holds.ts';
import { processName } from '../../db/sql/ownership.ts';
import { type FlowRow, WAITING_LANE } from '../../engine/journal.ts';
import { millis, now } from '../../lib/clock.ts';
import { age } from '../../lib/times.ts';
import type { DoctorCheck, Finding, Patient } from './check.ts';

export const motion: DoctorCheck = {
  name: 'motion',
  wellSaid: 'every flow moves',
  examine: async (patient: Patient) => {
    const journal = new DatabaseJournal(patient.db);
    const findings: Finding[] = [];
    for (const flow of await journal.list({ unended: true })) {
      if (flow.state === 'stuck') findings.push(await stuck(journal, flow));
      else if (flow.claims > 1) findings.push(deadly(flow));
      else if (millis(now()) - millis(flow.updatedAt) > patient.patienceMs && !(await waits(patient, flow)))
        findings.push(await still(patient, flow));
    }
    return findings;
  },
};

async function stuck(journal: DatabaseJournal, flow: FlowRow): Promise<Finding> {
  const last = (await journal.steps(flow.id)).findLast((step) => step.event === 'revert_failed');
  const failure = last?.data.failure.message;
  return {
    key: `stuck ${flow.id}`,
    about: flow.resource,
    says: `${flow.name} ${flow.id} is stuck: the revert of ${last?.node ?? 'a task'} failed${failure ? ` (${failure})` : ''}`,
    advice: `pumice flows resume ${flow.id} tries it again`,
  };
}

/** One death is what happens to processes. */
function deadly({ id, name, resource, claims }: FlowRow): Finding {
  return {
    key: `deadly ${id} ${claims}`,
    about: resource,
    says: `${name} ${id} may be what ends the service: ${claims} of its processes have died while it stood at the same task`,
    advice: `it is taken back by itself in the end; pumice flows cancel ${id} does it now`,
  };
}

async function waits({ db }: Patient, { id, lane }: FlowRow): Promise<boolean> {
  return lane === WAITING_LANE && (await whatKeeps(db.read, [id])).size > 0;
}

/** One whose task says how far it is moves if it is further when looked at again. */
async function still({ db }: Patient, flow: FlowRow): Promise<Finding> {
  const { id, name, resource, doing, updatedAt, owner } = flow;
  const { what, why } = doing?.waiting ?? {};
  const where =
    doing === null ? '' : ` at ${doing.node}${what === undefined ? '' : `, and waits for ${what} (${why})`}`;
  return {
    key: `still ${id} ${doing?.progress}`,
    about: resource,
    says: `${name} ${id} has not moved for ${age(updatedAt, now())}${where}${await whose(db, owner)}`,
    advice: `pumice flows show ${id} tells why`,
    ...(typeof doing?.progress === 'number' && { slow: true }),
  };
}

async function whose(db: Patient['db'], owner: string | null): Promise<string> {
  if (owner === null) return '; nobody runs it';
  // On SQLite a tool cannot tell whether the server lives.
  if (db.dialect === 'sqlite') return '';
  const name = processName(owner);
  return (await db.ownership.held([name])).has(name) ? '' : '; its process is dead';
}
