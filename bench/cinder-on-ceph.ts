/**
 * Debian's Cinder on a Ceph pool: its API, scheduler and cinder-volume, with a MariaDB that need not sync and a RabbitMQ of their own,
 * and their defaults but for quotas and what may be promised of a pool.
 */
import { noCinder, startCinder } from '../test/compat/real-cinder.ts';
import { noRabbitmq, startRabbitmq } from '../test/events/rabbitmq-server.ts';
import { cinderWorld } from '../test/import/cinder-world.ts';
import type { Pool } from './rbd-services.ts';

export interface Cinder {
  readonly address: string;
  stop(): Promise<void>;
}

/** Or why there is none. */
export async function cinderOn({ ceph, name, images }: Pool): Promise<Cinder | string> {
  const missing = noCinder || noRabbitmq;
  if (missing) return missing;
  const database = await cinderWorld('mysql');
  if ('missing' in database) return database.missing;
  // What its configuration says of quotas does not count beside these rows.
  await database.run('UPDATE quota_classes SET hard_limit = -1');
  const broker = await startRabbitmq();
  const release = async (): Promise<void> => {
    await broker.stop();
    await database.remove();
  };
  const { port, pathname } = new URL(database.url);
  const backend = [
    ...['volume_driver = cinder.volume.drivers.rbd.RBDDriver', 'volume_backend_name = rbd1'],
    ...[`rbd_pool = ${name}`, 'rbd_user = cinder', `rbd_ceph_conf = ${ceph.config}`],
    'max_over_subscription_ratio = 100000',
  ];
  try {
    const cinder = await startCinder(`mysql+pymysql://root@127.0.0.1:${port}${pathname}`, {
      transport: broker.url.replace('amqp://', 'rabbit://'),
      services: ['scheduler', 'volume'],
      apiProcesses: 2,
      more: {
        defaults: [
          ...['host = bench', 'enabled_backends = rbd1', 'default_volume_type = __DEFAULT__'],
          `glance_api_servers = ${images}`,
        ],
        sections: ['[rbd1]', ...backend],
      },
    });
    return {
      address: cinder.address,
      stop: async () => {
        await cinder.stop();
        await release();
      },
    };
  } catch (error) {
    await release();
    throw error;
  }
}
