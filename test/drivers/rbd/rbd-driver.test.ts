/** The RBD driver on a real cluster: all that every driver must do. */
import { noRbd } from '../../ceph-cluster.ts';
import { proveDriver } from '../../prove-driver.ts';
import { Pools, rbdWorld } from './rbd-world.ts';

const pools = new Pools();

proveDriver({
  name: 'images in a Ceph pool',
  skip: noRbd || null,
  copies: false,
  close: () => void pools.end(),
  world: (exec, around) => rbdWorld(pools, exec, around),
});
