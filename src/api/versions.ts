/** Version discovery: the document that a client reads before it has a token. */
import { NEWEST, OLDEST, versionText } from './microversion.ts';

/** The document of `GET /` and of `GET /v3/`. */
export function versionDocument(base: string): object {
  return {
    versions: [
      {
        id: `v${versionText(OLDEST)}`,
        status: 'CURRENT',
        version: versionText(NEWEST),
        min_version: versionText(OLDEST),
        updated: '2026-08-01T00:00:00Z',
        links: [
          { rel: 'describedby', type: 'text/html', href: 'https://docs.openstack.org/api-ref/block-storage/' },
          { rel: 'self', href: `${base}/v3/` },
        ],
        'media-types': [{ base: 'application/json', type: 'application/vnd.openstack.volume+json;version=3' }],
      },
    ],
  };
}
