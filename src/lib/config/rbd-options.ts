/** What `[backends.NAME]` has besides where `driver = "rbd"`, by the names of cinder.conf. */
import { Type } from '../schema.ts';

export const rbdOptions = {
  driver: Type.Literal('rbd', { description: 'Volumes are images in a pool of a Ceph cluster.' }),
  rbd_pool: Type.String({
    minLength: 1,
    pattern: '^[^/@]+$',
    form: 'text without / and @',
    default: 'volumes',
    description: 'The pool. No other backend has it, but the same one of other processes.',
  }),
  rbd_user: Type.String({
    minLength: 1,
    default: 'cinder',
    description:
      'The Ceph user: `client.NAME` without `client.`. Its key is where `rbd_ceph_conf` says, and never here.',
  }),
  rbd_ceph_conf: Type.String({
    minLength: 1,
    path: '',
    default: '/etc/ceph/ceph.conf',
    description: 'Names the monitors, and the keyring of the user where it does not lie in `/etc/ceph`.',
  }),
  rbd_cluster_name: Type.String({
    minLength: 1,
    default: 'ceph',
    description: 'What the cluster is called where its files are.',
  }),
  rbd_secret_uuid: Type.Optional(
    Type.String({
      format: 'uuid',
      description:
        "Libvirt's secret in which hosts of servers keep the user's key. Not there: the id of the cluster (fsid).",
    }),
  ),
  rbd_max_clone_depth: Type.Integer({
    minimum: 0,
    maximum: 14,
    default: 5,
    description:
      'A volume that reads through more images than so many gets what they hold, in the background. 0: never.',
  }),
  report_discard_supported: Type.Boolean({
    default: true,
    description: 'Clients may give back what they delete.',
  }),
} as const;
