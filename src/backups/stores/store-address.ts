/** Where a store of backups is, with all that is needed to get in. A child is told on its standard input, never by an argument. */

export type StoreAddress = DirectoryAddress | S3Address;

export interface DirectoryAddress {
  readonly kind: 'directory';
  /** Absolute. It is there, and is never made: what is not mounted must not be taken for an empty store. */
  readonly path: string;
}

export interface S3Address {
  readonly kind: 's3';
  /** `http://…` or `https://…` */
  readonly endpoint: string;
  readonly region: string;
  /** It is there, and is never made. */
  readonly bucket: string;
  /** What the names of all objects begin with. */
  readonly prefix: string;
  /** Where the bucket stands: in the path, or before the name of the host. */
  readonly addressing: 'path' | 'virtual';
  readonly accessKey: string;
  readonly secretKey: string;
  /** Certificates (PEM) that are trusted over https; null: those that come with Node. */
  readonly caFile: string | null;
  /** How long it may be silent before a call fails. */
  readonly silenceMs: number;
}
