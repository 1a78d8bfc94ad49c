/** `DELETE /os-quota-sets/{project}`: the project has no limits of its own any more. */
import { deleteProjectLimits } from '../db/quota-limits.ts';
import type { Desk } from './desk.ts';

export async function resetQuotas({ db }: Desk, projectId: string): Promise<void> {
  await db.write((tx) => deleteProjectLimits(tx, projectId));
}
