/** `os-services/enable`, `disable`, `disable-log-reason`: whether the scheduler gives a service anything new. */
import { type ServicePatch, updateService } from '../../db/services.ts';
import { ServiceNotFound } from '../../model/errors.ts';
import type { Desk } from '../desk.ts';

export async function setServiceStatus(
  { db }: Desk,
  { host, binary }: { readonly host: string; readonly binary: string },
  patch: Pick<ServicePatch, 'disabled' | 'disabledReason'>,
): Promise<void> {
  const found = await db.write((tx) => updateService(tx, host, binary, patch));
  if (!found) throw new ServiceNotFound(`Service ${binary} could not be found on host ${host}.`);
}
