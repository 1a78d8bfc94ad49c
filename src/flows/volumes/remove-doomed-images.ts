/**
 * Removes from the image service what uploads that failed have left there. Not a part of their flows: the volume is its owner's again at
 * once, also while the service is away.
 */
import type { Database } from '../../db/database.ts';
import { doomedImages, forgetDoomedImage } from '../../db/doomed-images.ts';
import type { ImageStore } from '../../model/image.ts';

const AT_ONCE = 100;

/** Each is tried; rejects with the first failure then. Harmless when several processes do it. */
export async function removeDoomedImages(db: Database, images: ImageStore, signal: AbortSignal): Promise<void> {
  const failures: unknown[] = [];
  for (const id of await doomedImages(db.read, AT_ONCE)) {
    try {
      await images.remove(id, signal);
      await db.write((tx) => forgetDoomedImage(tx, id));
    } catch (error) {
      signal.throwIfAborted();
      failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
}
