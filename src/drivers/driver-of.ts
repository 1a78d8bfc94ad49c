/** The driver that a section of `[backends]` names, with its exports. No other is loaded. */
import type { BackendConfig, Config, FileBackendConfig } from '../lib/config/config.ts';
import { exec } from '../lib/exec.ts';
import { unhandled } from '../lib/unhandled.ts';
import type { VolumeDriver } from './driver.ts';
import { exportsOf } from './exports/exports-of.ts';
import { FileDriver } from './file/file-driver.ts';
import type { HostCopies } from './host-copies.ts';

/** Not started. The command line looks at backends with it, too, which copies nothing. */
export async function driverOf(section: BackendConfig, config: Config, copies?: HostCopies): Promise<VolumeDriver> {
  switch (section.driver) {
    case 'file':
      return fileDriver(section, config, copies);
    default:
      return unhandled(section.driver);
  }
}

async function fileDriver(section: FileBackendConfig, config: Config, copies?: HostCopies): Promise<FileDriver> {
  return new FileDriver({
    name: section.volume_backend_name,
    directory: section.path,
    exec,
    create: section.create,
    reservedPercentage: section.reserved_percentage,
    maxOverSubscriptionRatio: section.max_over_subscription_ratio,
    ...(copies && { copies }),
    conversion: {
      memoryBytes: config.images.image_conversion_address_space_limit * 1024 ** 3,
      cpuSeconds: config.images.image_conversion_cpu_limit,
      timeoutMs: config.images.image_conversion_timeout_seconds * 1000,
    },
    exports: await exportsOf(section, config),
    volumeNameTemplate: config.volume_name_template,
    snapshotNameTemplate: config.snapshot_name_template,
  });
}
