/**
 * The supervisor of a process that works for a flow: one that is killed, by hand or for want of memory, is followed by another that
 * goes on where it stood. What kills two of them at the same place would kill all: then the work fails, and says where.
 */
import { sizeText } from '../../lib/bytes.ts';
import { BackupFailed, BackupProcessDied } from '../../model/errors.ts';

/** `attempt` tells how many bytes of the volume are done for good, those of earlier attempts with them. */
export async function outliving<Result>(
  attempt: (reached: (bytes: number) => void) => Promise<Result>,
): Promise<Result> {
  let at = 0;
  for (let diedAt: number | undefined; ; diedAt = at) {
    try {
      return await attempt((bytes) => {
        at = bytes;
      });
    } catch (error) {
      if (!(error instanceof BackupProcessDied)) throw error;
      if (at === diedAt)
        throw new BackupFailed(`Two processes have died at the same place, ${sizeText(at)} from the beginning.`, {
          cause: error,
        });
    }
  }
}
