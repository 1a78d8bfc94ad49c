/** What a machine that is to receive a volume knows of one that another machine has opened to it. */

/** A volume's bytes as another machine reads them, over iSCSI: it alone, and for as long as it is open. */
export interface RemoteSource {
  /** `address:port` */
  readonly portal: string;
  readonly target: string;
  readonly lun: number;
  /** The only name that may log in. */
  readonly initiator: string;
  readonly user: string;
  readonly bytes: number;
  /** Of these, what may be data. */
  readonly dataBytes: number;
}

/** In no journal, no error and no log. */
export interface OpenedSource extends RemoteSource {
  readonly secret: string;
}
