/** The image store that the configuration names: a directory, or Glance. */
import { trustedCertificates } from '../http/trusted-certificates.ts';
import type { Config } from '../lib/config/config.ts';
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
    ca: trustedCertificates('images.glance_ca_certificates_file', images.glance_ca_certificates_file),
    credentials: own === undefined ? byName : byTokens(own),
  });
}
