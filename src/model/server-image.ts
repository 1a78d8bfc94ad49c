/**
 * The image Nova makes of a server that boots from a volume: it has no data, and its property `block_device_mapping` names the
 * snapshot to boot from. Cinder bug 1560867.
 */
import { ImageUnacceptable, SnapshotNotFound } from './errors.ts';
import type { Image } from './image.ts';

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/**
 * The id of the snapshot it stands for; null for an image with data of its own. Throws `ImageUnacceptable` for a mapping that
 * cannot be read, `SnapshotNotFound` for a snapshot whose id is none.
 */
export function bootSnapshotOf({ id, properties }: Image): string | null {
  const text = properties.block_device_mapping ?? '';
  if (text === '') return null;
  const boot = devicesIn(text, id).find(
    (device) => device?.source_type === 'snapshot' && device.boot_index === 0,
  )?.snapshot_id;
  if (boot === undefined) return null;
  if (typeof boot !== 'string' || !UUID.test(boot)) throw new SnapshotNotFound('named by the image to boot from');
  return boot;
}

type Device = { readonly [name: string]: unknown } | null;

function devicesIn(text: string, id: string): readonly Device[] {
  let devices: unknown;
  try {
    devices = JSON.parse(text);
  } catch {
    devices = undefined;
  }
  if (!Array.isArray(devices)) throw new ImageUnacceptable(`The block_device_mapping of image ${id} cannot be read.`);
  return devices;
}
