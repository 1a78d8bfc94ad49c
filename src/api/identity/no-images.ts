/**
 * An image service that has no image.
 *
 * `openstack volume create` looks for one in the catalogue and asks for its versions before it does anything, whether an
 * image is wanted or not. At a site without Glance it finds this; images that are files of a directory are named by their
 * ids (`cinder create --image-id`), which asks nobody.
 */
import type { FastifyInstance } from 'fastify';
import type { ApiConfig } from '../../lib/config/config.ts';
import { send } from '../exchange.ts';
import { baseOf } from '../links.ts';

export const NO_IMAGES = '/image';

export function addNoImages(app: FastifyInstance, api: ApiConfig): void {
  void app.register(
    async (images) => {
      images.get('/', ({ headers }, reply) => {
        const links = [{ rel: 'self', href: `${baseOf(headers.host, api)}${NO_IMAGES}/v2/` }];
        send(reply, 300, { versions: [{ id: 'v2.0', status: 'CURRENT', links }] });
      });
      images.get('/v2/images', (_request, reply) =>
        send(reply, 200, { images: [], first: '/v2/images', schema: '/v2/schemas/images' }),
      );
      images.setNotFoundHandler((_request, reply) => {
        reply.code(404).type('text/plain').send('There are no images here.');
      });
    },
    { prefix: NO_IMAGES },
  );
}
