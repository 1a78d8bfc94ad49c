/** Where a store of backups is, with all that is needed to get in. A child is told on its standard input, never by an argument. */

export type StoreAddress = DirectoryAddress | S3Address | SwiftAddress;

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

export interface SwiftAddress {
  readonly kind: 'swift';
  /** Where one signs in: Keystone, or Swift's own door of version 1. */
  readonly authUrl: string;
  readonly authVersion: '1' | '3';
  /** Of version 1 `ACCOUNT:USER`. */
  readonly user: string;
  readonly key: string;
  /** This and the next three are of version 3. */
  readonly userDomain: string;
  readonly project: string;
  readonly projectDomain: string;
  /** Null: any. */
  readonly region: string | null;
  /** Of the account; null: what one is told at the door. */
  readonly storageUrl: string | null;
  /** It is there, and is never made. */
  readonly container: string;
  /** Certificates (PEM) that are trusted over https; null: those that come with Node. */
  readonly caFile: string | null;
  /** How long it may be silent before a call fails. */
  readonly silenceMs: number;
}
