/** A volume, as the API shows it. */
export interface Attachment {
  readonly attachment_id: string;
  readonly server_id: string | null;
  readonly host_name: string | null;
  readonly device: string | null;
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
  readonly snapshot_id: string | null;
  readonly source_volid: string | null;
  readonly group_id: string | null;
  readonly attachments: readonly Attachment[];
  readonly metadata: Readonly<Record<string, string>>;
  readonly volume_image_metadata?: Readonly<Record<string, string>>;
  readonly 'os-vol-host-attr:host'?: string | null;
  readonly 'os-vol-tenant-attr:tenant_id'?: string;
}
