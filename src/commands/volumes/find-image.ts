/** The image that a request names, as Cinder finds it: by its id, alone or at the end of its URL, else by a name that only one has. */
import type { Caller } from '../../model/caller.ts';
import {
  Conflict,
  ImageNotFound,
  ImageServiceUnavailable,
  ImageUnacceptable,
  InvalidInput,
} from '../../model/errors.ts';
import { type Image, type ImageStore, isSigned } from '../../model/image.ts';

const PATIENCE_MS = 30_000;

/**
 * Asked with the caller's own right, before any transaction: it may take a while. Rejects with 400 for an image that is not there or
 * not active, 409 when the name is not enough, 503 when nobody can say.
 */
export function findActiveImage(images: ImageStore, caller: Caller, reference: string): Promise<Image> {
  return active(find(images, caller, reference));
}

/** The same by its id alone; one that is not there is 404. */
export function activeImageOfId(images: ImageStore, caller: Caller, id: string): Promise<Image> {
  return active(images.show(id, caller, AbortSignal.timeout(PATIENCE_MS)));
}

async function active(found: Promise<Image>): Promise<Image> {
  const image = await found.catch((error: unknown) => {
    if (error instanceof DOMException && error.name === 'TimeoutError')
      throw new ImageServiceUnavailable('The image service is too slow.', { cause: error });
    throw error;
  });
  const { id, status } = image;
  if (status !== 'active') throw new ImageUnacceptable(`Image ${id} is ${status}; only an active one can be read.`);
  return image;
}

/** Throws when its bytes may not be used. */
export function checkReadable(image: Image): void {
  if (isSigned(image))
    throw new ImageUnacceptable(
      `Image ${image.id} is signed; signatures of images cannot be verified, so it is not used.`,
    );
}

async function find(images: ImageStore, caller: Caller, reference: string): Promise<Image> {
  const signal = AbortSignal.timeout(PATIENCE_MS);
  const byId = await images.show(reference.split('/').at(-1) ?? '', caller, signal).catch((error: unknown) => {
    if (error instanceof ImageNotFound) return undefined;
    throw error;
  });
  if (byId !== undefined) return byId;
  const [first, second] = await images.named(reference, caller, signal);
  if (second !== undefined)
    throw new Conflict(`Multiple matches found for '${reference}', use an ID to be more specific.`);
  if (first === undefined) throw new InvalidInput('Invalid image identifier or unable to access requested image.');
  return first;
}
