import { uuid } from '../../../src/lib/clock.ts';
import type { CephCluster } from '../../ceph-cluster.ts';

export async function makePool(ceph: CephCluster): Promise<string> {
  const name = `pool-${uuid()}`;
  await ceph.run('ceph', 'osd', 'pool', 'create', name, '1', '1', 'replicated');
  await ceph.run('ceph', 'osd', 'pool', 'application', 'enable', name, 'rbd');
  return name;
}
