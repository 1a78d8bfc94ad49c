/**
 * Check: the exports are those of the attachments, and no others.
 *
 * A running service puts both right by itself within seconds (`upkeep/reconcile-exports.ts`); the doctor tells of it where none
 * runs. An attachment that a flow holds is being opened or shut just now, and left out.
 */
import { exportedBy } from '../../db/attachments.ts';
import type { Db } from '../../db/sql/db.ts';
import type { VolumeDriver } from '../../drivers/driver.ts';
import { PumiceError } from '../../model/errors.ts';
import { DOWN, type DoctorCheck, type Finding, type Patient } from './check.ts';

export const exports: DoctorCheck = {
  name: 'exports',
  wellSaid: 'what is exported is what attachments say',
  examine: async ({ db, backends, signal }: Patient) => {
    const findings: Finding[] = [];
    for (const { host, driver } of backends) {
      if (driver instanceof Error) continue;
      try {
        findings.push(...(await examineHost(db.read, host, driver, signal)));
      } catch (error) {
        if (signal.aborted || !(error instanceof PumiceError)) throw error;
        findings.push({
          key: `silent ${host}`,
          about: host,
          says: `does not say what it exports: ${error.message}`,
          advice: DOWN,
        });
      }
    }
    return findings;
  },
};

const ADVICE = 'start the service that serves the host: it puts it right, or says under `upkeep` why it cannot';

async function examineHost(db: Db, host: string, driver: VolumeDriver, signal: AbortSignal): Promise<Finding[]> {
  // Before the rows, which are there before their exports.
  const exported = new Set((await driver.listExports(signal)).map(({ attachmentId }) => attachmentId));
  const attachments = await exportedBy(db, host);
  const held = new Set((await db.selectFrom('hold').select('resource').execute()).map(({ resource }) => resource));
  const known = new Set(attachments.map(({ id }) => id));
  const missing = attachments.filter(
    ({ id, connectionInfo, takenOver }) =>
      connectionInfo !== null && !takenOver && !exported.has(id) && !held.has(`attachment:${id}`),
  );
  return [
    ...missing.map(({ id, volumeId }) => ({
      key: `unexported ${id}`,
      about: `volume:${volumeId}`,
      says: `is not exported by ${host} to attachment ${id}`,
      advice: ADVICE,
    })),
    ...[...exported]
      .filter((id) => !known.has(id) && !held.has(`volume:${id}`))
      .map((id) => ({
        key: `export ${host} ${id}`,
        about: host,
        says: `exports a volume to attachment ${id}, which no row knows`,
        advice: ADVICE,
      })),
  ];
}
