/** What a client that reads both services would see differently, of this database: each is a choice, none is a loss. */

export interface SeenHere {
  readonly dialect: 'mysql' | 'postgresql';
  readonly volumes: number;
  /** Made by `os-attach`, without the attachment calls. */
  readonly oldAttachments: number;
  readonly neverPlaced: number;
  readonly transfers: number;
  readonly messages: number;
  readonly clustered: number;
  /** Hosts that are called otherwise here. */
  readonly renamed: readonly string[];
}

export function seenDifferently(seen: SeenHere): string[] {
  const lines: (readonly [applies: boolean, line: string])[] = [
    [
      seen.renamed.length > 0,
      `os-vol-host-attr:host of volumes on ${seen.renamed.join(', ')} is the name that the host map gives`,
    ],
    [seen.clustered > 0, 'cluster_name is null; the host of such volumes is what the cluster was called'],
    [seen.oldAttachments > 0, 'connection_info of attachments that os-attach made is {} in place of null'],
    [seen.neverPlaced > 0, 'shared_targets of volumes that were never placed is false in place of true'],
    [seen.volumes > 0, 'service_uuid is that of the host where the volume is, also after a retype or a migration'],
    [seen.transfers > 0, 'links of transfers lead to volume-transfers, under os-volume-transfer too'],
    [seen.messages > 0, 'user_message of what failed before is in words of Pumice; event_id is the same'],
    [true, 'capabilities of pools are what the drivers here say; os-services is ordered by binary and host'],
    [true, 'times of what is changed from now on have microseconds'],
    [
      seen.dialect === 'mysql',
      "names of types and values of filters are compared letter by letter, MySQL's were not (ssd found SSD): ignore_case = true keeps that",
    ],
  ];
  return lines.flatMap(([applies, line]) => (applies ? [line] : []));
}
