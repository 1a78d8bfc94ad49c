/** A file of the page, as it is built and as it is served. */

/** Its name, and its bytes by content coding. */
export interface PageFile {
  readonly name: string;
  readonly identity: Buffer;
  readonly br: Buffer;
  readonly gzip: Buffer;
}

/** What the HTML is called. */
export const PAGE_NAME = 'page.html';
