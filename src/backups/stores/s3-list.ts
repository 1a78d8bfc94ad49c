/** A page of a list of objects, as S3 answers it (`ListObjectsV2`, with names encoded as in a URL). */
import type { StoredObject } from './store.ts';

export interface S3Page {
  readonly objects: readonly StoredObject[];
  readonly isLast: boolean;
}

export function pageOf(xml: string): S3Page {
  const objects = [...xml.matchAll(/<Contents>(.*?)<\/Contents>/gs)].map(([, content = '']) => ({
    name: decodeURIComponent(textIn('Key', content).replaceAll('+', ' ')),
    bytes: Number(textIn('Size', content)),
  }));
  return { objects, isLast: textIn('IsTruncated', xml) !== 'true' };
}

const textIn = (tag: string, xml: string): string => new RegExp(`<${tag}>([^<]*)</${tag}>`).exec(xml)?.[1] ?? '';
