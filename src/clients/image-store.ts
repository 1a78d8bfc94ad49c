/** Where the configuration says that images come from. */
import type { Config } from '../lib/config.ts';
import type { ImageStore } from '../model/image.ts';
import type { OwnToken } from '../model/token.ts';
import { GlanceImages } from './glance.ts';
import { byName, byTokens } from './glance-credentials.ts';
import { DirectoryImages } from './image-directory.ts';

/** `own`: whose token flows read with, where a Keystone says who asks. */
export function imagesOf({ images }: Config, own: OwnToken | undefined): ImageStore {
  if (images.store === 'directory') return new DirectoryImages({ directory: images.directory });
  return new GlanceImages({
    url: images.glance_url,
    timeoutMs: images.glance_request_timeout * 1000,
    credentials: own === undefined ? byName : byTokens(own),
  });
}
