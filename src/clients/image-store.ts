/** The image store that the configuration names: a directory, or Glance. No other is loaded. */
import type { Config } from '../lib/config/config.ts';
import type { ImageStore } from '../model/image.ts';
import type { OwnToken } from '../model/token.ts';

/** `own`: whose token flows read with, where a Keystone says who asks. */
export async function imagesOf({ images }: Config, own: OwnToken | undefined): Promise<ImageStore> {
  if (images.store === 'directory') {
    const { DirectoryImages } = await import('./image-directory.ts');
    return new DirectoryImages({ directory: images.directory });
  }
  const { trustedCertificates } = await import('../http/trusted-certificates.ts');
  const { GlanceImages } = await import('./glance.ts');
  const { byName, byTokens } = await import('./glance-credentials.ts');
  return new GlanceImages({
    url: images.glance_url,
    timeoutMs: images.glance_request_timeout * 1000,
    ca: trustedCertificates('images.glance_ca_certificates_file', images.glance_ca_certificates_file),
    credentials: own === undefined ? byName : byTokens(own),
  });
}
