/** The driver that a section of `[backends]` names, with its exports. No other is loaded. */
import { dirname, join } from 'node:path';
import { uuid } from '../lib/clock.ts';
import type {
  BackendConfig,
  Config,
  FileBackendConfig,
  LvmBackendConfig,
  RbdBackendConfig,
} from '../lib/config/config.ts';
import { exec } from '../lib/exec.ts';
import { unhandled } from '../lib/unhandled.ts';
import type { VolumeDriver } from './driver.ts';
import { exportsOf, stateDirectoryOf } from './exports/exports-of.ts';
import { FileDriver } from './file/file-driver.ts';
import type { HostCopies } from './host-copies.ts';
import type { LvmDriver } from './lvm/lvm-driver.ts';

/** What a driver has of the process that serves with it. */
export interface Serving {
  readonly copies: HostCopies;
  /** The process' own name, a new one each time. */
  readonly process: string;
}

/** Not started. The command line looks at backends with it, too, which serves nothing and copies nothing. */
export async function driverOf(section: BackendConfig, config: Config, serving?: Serving): Promise<VolumeDriver> {
  switch (section.driver) {
    case 'file':
      return fileDriver(section, config, serving);
    case 'lvm':
      return lvmDriver(section, config, serving);
    case 'rbd':
      return rbdDriver(section, config, serving);
    default:
      return unhandled(section);
  }
}

async function rbdDriver(section: RbdBackendConfig, config: Config, serving?: Serving): Promise<VolumeDriver> {
  const { RbdDriver } = await import('./rbd/rbd-driver.ts');
  const { RbdClient } = await import('./rbd/rbd-client.ts');
  const { rbd_ceph_conf: conf, rbd_user: user, rbd_cluster_name: cluster, rbd_pool: pool, rbd_secret_uuid } = section;
  const address = { conf, user, cluster, pool };
  return new RbdDriver({
    name: section.volume_backend_name,
    address,
    rbd: new RbdClient({ exec, address }),
    exec,
    directory: join(config.data_directory, 'rbd', pool),
    who: serving?.process ?? uuid(),
    ...(rbd_secret_uuid !== undefined && { secretUuid: rbd_secret_uuid }),
    discard: section.report_discard_supported,
    maxCloneDepth: section.rbd_max_clone_depth,
    ...ofAny(section, config, serving),
  });
}

/** What every kind of driver has of the configuration. */
const ofAny = (section: BackendConfig, config: Config, serving?: Serving) => ({
  reservedPercentage: section.reserved_percentage,
  maxOverSubscriptionRatio: section.max_over_subscription_ratio,
  ...(serving && { copies: serving.copies }),
  conversion: {
    memoryBytes: config.images.image_conversion_address_space_limit * 1024 ** 3,
    cpuSeconds: config.images.image_conversion_cpu_limit,
    timeoutMs: config.images.image_conversion_timeout_seconds * 1000,
  },
  volumeNameTemplate: config.volume_name_template,
  snapshotNameTemplate: config.snapshot_name_template,
});

async function fileDriver(section: FileBackendConfig, config: Config, serving?: Serving): Promise<FileDriver> {
  return new FileDriver({
    name: section.volume_backend_name,
    directory: section.path,
    exec,
    create: section.create,
    exports: await exportsOf(section, config),
    ...ofAny(section, config, serving),
  });
}

async function lvmDriver(section: LvmBackendConfig, config: Config, serving?: Serving): Promise<LvmDriver> {
  const { LvmDriver } = await import('./lvm/lvm-driver.ts');
  return new LvmDriver({
    name: section.volume_backend_name,
    group: section.volume_group,
    directory: stateDirectoryOf(section, config),
    exec,
    create: section.create,
    ...(section.lvm_conf_file !== undefined && { configurationDirectory: dirname(section.lvm_conf_file) }),
    exports: await exportsOf(section, config),
    ...ofAny(section, config, serving),
  });
}
