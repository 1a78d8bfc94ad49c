/** What the API answers, as far as the page shows it. */

export interface Attachment {
  readonly attachment_id: string;
  readonly server_id: string | null;
  readonly host_name: string | null;
  readonly device: string | null;
  readonly attached_at: string | null;
}

export interface Volume {
  readonly id: string;
  readonly name: string | null;
  readonly description: string | null;
  readonly status: string;
  /** GiB. */
  readonly size: number;
  readonly volume_type: string | null;
  readonly availability_zone: string | null;
  readonly created_at: string;
  readonly updated_at: string | null;
  readonly bootable: string;
  readonly multiattach: boolean;
  readonly snapshot_id: string | null;
  readonly source_volid: string | null;
  readonly group_id: string | null;
  readonly user_id: string;
  readonly attachments: readonly Attachment[];
  readonly metadata: Readonly<Record<string, string>>;
  readonly volume_image_metadata?: Readonly<Record<string, string>>;
  readonly 'os-vol-host-attr:host'?: string | null;
  readonly 'os-vol-tenant-attr:tenant_id'?: string;
}

export interface UserMessage {
  readonly id: string;
  readonly user_message: string;
  readonly created_at: string;
  readonly request_id: string | null;
}

export interface VolumeType {
  readonly id: string;
  readonly name: string;
  readonly description: string | null;
}

/** Of a project: in use and reserved of a limit, which is none below zero. */
export type QuotaSet = Readonly<
  Record<string, { readonly limit: number; readonly in_use: number; readonly reserved: number }>
>;
