/** What of an image is looked at before it is copied to wherever a driver keeps volumes: whether it fits, and how much room it takes. */
import { GIB } from '../lib/bytes.ts';
import { ImageTooBig } from '../model/errors.ts';
import type { ImageFile } from './driver.ts';
import type { ImageFacts } from './images/read-image.ts';

/** Throws `ImageTooBig` for images of more than `sizeGiB`. */
export function fitting(what: string, sizeGiB: number): (imageBytes: number) => void {
  return (imageBytes) => {
    if (imageBytes <= sizeGiB * GIB) return;
    throw new ImageTooBig(`The image of ${imageBytes} bytes does not fit ${what} of ${sizeGiB} GiB.`);
  };
}

/** Bytes that its data takes, told that so many are free: it may have a place for more, and is read to the end where that does not fit. */
export const imageNeeds =
  (image: ImageFile, { allocatedBytes }: ImageFacts, signal: AbortSignal) =>
  async (freeBytes: number): Promise<number> => {
    if (allocatedBytes <= freeBytes) return allocatedBytes;
    const { countData } = await import('./images/read-image.ts');
    return countData(image, signal, freeBytes);
  };
