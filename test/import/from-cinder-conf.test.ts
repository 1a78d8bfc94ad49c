/** A cinder.conf becomes a pumice.toml that fits, and says what does not. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { parse } from 'smol-toml';
import { defaultTypeNote, fromCinderConf } from '../../src/import/conf/from-cinder-conf.ts';
import { ConfigInvalid, parseConfig } from '../../src/lib/config/read-config.ts';

const of = (text: string) => fromCinderConf(text, 'cinder.conf');
/** Tables of the parser have no prototype. */
const plain = (toml: string): Record<string, unknown> => JSON.parse(JSON.stringify(parse(toml)));

const WHOLE = `
[DEFAULT]
host = control1
transport_url = rabbit://openstack:top-secret@control1
enabled_backends = rbd1, lvm1, netapp
default_volume_type = ssd
storage_availability_zone = az1
volume_name_template = volume-%s
quota_volumes = 20
no_snapshot_gb_quota = True
per_volume_size_limit = 500
backup_driver = cinder.backup.drivers.s3.S3BackupDriver
backup_s3_endpoint_url = https://s3.example.org
backup_s3_store_bucket = backups
backup_s3_store_access_key = top-secret
backup_s3_store_secret_key = top-secret

[backend_defaults]
reserved_percentage = 10

[rbd1]
volume_driver = cinder.volume.drivers.rbd.RBDDriver
volume_backend_name = ceph
backend_host = rbd:volumes
rbd_pool = volumes
rbd_user = cinder
rbd_ceph_conf = /etc/ceph/ceph.conf
rbd_secret_uuid = 457eb676-33da-42ec-9a8c-9293d545c337
rbd_flatten_volume_from_snapshot = false
max_over_subscription_ratio = auto
image_volume_cache_enabled = yes
replication_device = backend_id:other

[lvm1]
volume_group = cinder-volumes
target_ip_address = 192.0.2.5
target_prefix = iqn.2010-10.org.openstack:

[netapp]
volume_driver = cinder.volume.drivers.netapp.common.NetAppDriver
netapp_password = top-secret

[keystone_authtoken]
auth_type = password
auth_url = https://keystone.example.org:5000
username = cinder
password = top-secret
user_domain_id = default
project_name = service
project_domain_id = 0a1b2c
memcached_servers = control1:11211
`;

describe('a pumice.toml of a cinder.conf', () => {
  test('has what no table holds, section by section, and no secret', () => {
    const { toml, notes, hosts, snapshotGigabytes } = of(WHOLE);
    assert.deepEqual(plain(toml), {
      node_name: 'control1',
      default_volume_type: 'ssd',
      storage_availability_zone: 'az1',
      volume_name_template: 'volume-%s',
      api: { auth_strategy: 'keystone' },
      keystone: {
        auth_url: 'https://keystone.example.org:5000',
        username: 'cinder',
        project_name: 'service',
        password_file: '/etc/pumice/keystone-password',
      },
      quota: { quota_volumes: 20, per_volume_size_limit: 500, no_snapshot_gb_quota: true },
      backends: {
        rbd1: {
          driver: 'rbd',
          volume_backend_name: 'ceph',
          backend_host: 'rbd:volumes',
          rbd_pool: 'volumes',
          rbd_user: 'cinder',
          rbd_ceph_conf: '/etc/ceph/ceph.conf',
          rbd_secret_uuid: '457eb676-33da-42ec-9a8c-9293d545c337',
          reserved_percentage: 10,
          max_over_subscription_ratio: 'auto',
          image_volume_cache_enabled: true,
        },
        lvm1: {
          driver: 'lvm',
          volume_backend_name: 'LVM',
          backend_host: 'control1',
          volume_group: 'cinder-volumes',
          target_ip_address: '192.0.2.5',
          target_prefix: 'iqn.2010-10.org.openstack:',
          reserved_percentage: 10,
          target_protocol: 'iscsi',
          target_daemon: 'system',
        },
      },
      backup_stores: {
        cinder: {
          backup_driver: 's3',
          backup_s3_endpoint_url: 'https://s3.example.org',
          backup_s3_store_bucket: 'backups',
          backup_s3_store_access_key_file: '/etc/pumice/s3-access-key',
          backup_s3_store_secret_key_file: '/etc/pumice/s3-secret-key',
        },
      },
    });
    assert.doesNotMatch(toml + notes.join(), /top-secret/);
    assert.deepEqual(
      [...hosts],
      [
        ['rbd:volumes@rbd1', 'rbd:volumes@rbd1'],
        ['control1@lvm1', 'control1@lvm1'],
      ],
    );
    assert.equal(snapshotGigabytes, false);
    assert.deepEqual(notes, [
      '[rbd1] has replication_device, which say nothing here',
      '[netapp] is of cinder.volume.drivers.netapp.common.NetAppDriver, for which there is no driver here: its volumes are kept out',
      'the keys of S3 go into /etc/pumice/s3-access-key and /etc/pumice/s3-secret-key',
      'password of [keystone_authtoken] goes into /etc/pumice/keystone-password',
      '[keystone_authtoken] says project_domain_id; here it is project_domain_name, the name of that',
    ]);
  });

  test('asks the Keystone that Cinder asks, as Pumice reads it', (context) => {
    const directory = mkdtempSync(join(tmpdir(), 'pumice-conf-'));
    context.after(() => rmSync(directory, { recursive: true }));
    const asked = '[keystone_authtoken]\nauth_url = http://k:5000\nwww_authenticate_uri = http://public:5000\n';
    for (const [more, secret] of [
      ['username = cinder\nuser_domain_name = Services\ncafile = /etc/ca.pem\n', 'password'],
      ['application_credential_id = 0a1b\n', 'secret'],
    ] as const) {
      const file = join(directory, secret);
      writeFileSync(file, 'the-secret\n');
      const { toml } = of(asked + more);
      const { api, keystone } = parseConfig({ toml: toml.replace(`/etc/pumice/keystone-${secret}`, file) });
      assert.deepEqual([api.auth_strategy, keystone.www_authenticate_uri], ['keystone', 'http://public:5000']);
      assert.equal(keystone.password ?? keystone.application_credential_secret, 'the-secret');
    }
    const none = of('[DEFAULT]\nauth_strategy = noauth\n');
    assert.ok(!none.toml.includes('keystone') && !none.notes.join().includes('keystone'));
  });

  test('is one that Pumice reads, but for the kinds of backends', () => {
    const { toml } = of(`
[DEFAULT]
host = control1
default_volume_type = ssd
default_availability_zone = az1
storage_availability_zone = az1
allow_availability_zone_fallback = true
default_group_type = g
snapshot_name_template = snap-%s
message_ttl = 60
quota_volumes = 1
quota_snapshots = 2
quota_gigabytes = 3
quota_backups = 4
quota_backup_gigabytes = 5
quota_groups = 6
per_volume_size_limit = 7
backup_driver = cinder.backup.drivers.nfs.NFSBackupDriver
backup_share = nas:/backups
`);
    const config = parseConfig({ toml, set: ['backends.x.driver=file', 'backends.x.path=/srv/x'] });
    assert.deepEqual(
      [config.node_name, config.default_volume_type, config.snapshot_name_template],
      ['control1', 'ssd', 'snap-%s'],
    );
    assert.deepEqual(
      [config.quota.quota_backup_gigabytes, config.message_ttl, config.allow_availability_zone_fallback],
      [5, 60, true],
    );
    const share = createHash('md5').update('nas:/backups').digest('hex');
    const store = config.backup_stores.cinder;
    assert.equal(store?.backup_driver === 'posix' && store.backup_posix_path, `/var/lib/cinder/backup_mount/${share}`);
  });

  test('has sections of backends that Pumice reads, of each kind that it has', () => {
    const head = '[DEFAULT]\nenabled_backends = a\n[a]\n';
    for (const section of [
      'volume_driver = cinder.volume.drivers.rbd.RBDDriver\nrbd_pool = volumes\nrbd_user = cinder\nrbd_ceph_conf = /etc/ceph/ceph.conf\nrbd_cluster_name = ceph\nrbd_secret_uuid = 457eb676-33da-42ec-9a8c-9293d545c337\nrbd_max_clone_depth = 5\nreport_discard_supported = true',
      'volume_group = cinder-volumes\nlvm_conf_file = /etc/cinder/lvm.conf\ntarget_ip_address = 192.0.2.5\ntarget_port = 3260\ntarget_prefix = iqn.2010-10.org.openstack:',
    ]) {
      const common =
        'backend_availability_zone = az\nreserved_percentage = 5\nmax_over_subscription_ratio = 10.5\nimage_volume_cache_enabled = no\nimage_volume_cache_max_size_gb = 5\nimage_volume_cache_max_count = 6\nbackend_host = h:x';
      const { toml, notes } = of(`${head}${section}\n${common}`);
      assert.deepEqual(
        notes.filter((note) => note.startsWith('[a]')),
        [],
      );
      try {
        parseConfig({ toml });
      } catch (error) {
        // A kind that this Pumice has not yet.
        if (!(error instanceof ConfigInvalid && error.problems.some((problem) => problem.includes('.driver'))))
          throw error;
      }
    }
  });

  test('calls pools what Cinder calls them where nobody says it', () => {
    const { backends } = plain(
      of('[DEFAULT]\nenabled_backends = a\n[a]\nvolume_driver = cinder.volume.drivers.rbd.RBDDriver').toml,
    );
    assert.deepEqual(backends, { a: { driver: 'rbd', volume_backend_name: 'RBD', rbd_pool: 'rbd' } });
  });

  for (const [what, text, note] of [
    ['that has no backends', '[DEFAULT]\nhost = a', /enabled_backends is not said/],
    ['that says no host', '[DEFAULT]\nenabled_backends =', /host is not said/],
    [
      'whose backend has no section',
      '[DEFAULT]\nenabled_backends = a',
      /\[a\] is named by enabled_backends, and there is no such section/,
    ],
    [
      'with thick volumes',
      '[DEFAULT]\nenabled_backends = a\n[a]\nlvm_type = default',
      /lvm_type = default, volumes that are no thin ones/,
    ],
    ['with another target', '[DEFAULT]\nenabled_backends = a\n[a]\ntarget_helper = lioadm', /exports by lioadm/],
    [
      'with another protocol',
      '[DEFAULT]\nenabled_backends = a\n[a]\ntarget_protocol = nvmet_rdma',
      /reached by nvmet_rdma/,
    ],
    [
      'with a name that is none here',
      '[DEFAULT]\nenabled_backends = a.b\n[a.b]\nvolume_group = v',
      /\[a\.b\] is called a-b here/,
    ],
    [
      'with a value that is none',
      '[DEFAULT]\nenabled_backends = a\n[a]\nreserved_percentage = many',
      /reserved_percentage = many is not understood/,
    ],
    [
      'with names of no id alone',
      '[DEFAULT]\nvolume_name_template = %s/volume',
      /volume_name_template = %s\/volume cannot be said here/,
    ],
    ['that says no Keystone', '[DEFAULT]\nhost = a', /everybody who reaches the service is an administrator/],
    ['with a fixed key', '[DEFAULT]\n[key_manager]\nfixed_key = 00', /fixed_key/],
    [
      'with backups in Ceph',
      '[DEFAULT]\nbackup_driver = cinder.backup.drivers.ceph.CephBackupDriver',
      /nothing here reads such backups/,
    ],
    [
      'with backups on a share that nobody says',
      '[DEFAULT]\nbackup_driver = cinder.backup.drivers.nfs',
      /backup_share is not said/,
    ],
    [
      'with backups in Swift',
      '[DEFAULT]\nbackup_driver = cinder.backup.drivers.swift.SwiftBackupDriver',
      /password for Swift goes into/,
    ],
  ] as const) {
    test(`of one ${what} says so`, () => {
      const { toml, notes } = of(text);
      assert.ok(
        notes.some((each) => note.test(each)),
        notes.join('\n'),
      );
      parse(toml);
    });
  }

  test('the default type is looked for as it is said', () => {
    const types = [{ name: 'SSD' }, { name: '__DEFAULT__' }];
    assert.equal(defaultTypeNote('__DEFAULT__', types), null);
    assert.match(defaultTypeNote('ssd', types) ?? '', /is called SSD/);
    assert.match(defaultTypeNote('hdd', types) ?? '', /has no such type/);
  });
});
