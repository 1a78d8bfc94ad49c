/**
 * The view of an attachment, as clients see it. Its connection is shown with the secret (the CHAP password) that opens it:
 * clients need that to connect.
 */
import type { Attachment, ConnectionInfo } from '../../model/attachment.ts';

export const attachmentSummary = ({ id, attachStatus, instanceId, volumeId }: Attachment): object => ({
  id,
  status: attachStatus,
  instance: instanceId,
  volume_id: volumeId,
});

/** `withSecret`: for those who may open the volume, not for those who only may look. */
export function attachmentDetail(attachment: Attachment, { withSecret = true } = {}): object {
  const { driver_volume_type, data } = (withSecret ? connectionOf(attachment) : attachment.connectionInfo) ?? {};
  return {
    ...attachmentSummary(attachment),
    attached_at: attachment.attachedAt ?? '',
    detached_at: '',
    attach_mode: attachment.attachMode,
    connection_info: data === undefined ? {} : { ...data, driver_volume_type, attachment_id: attachment.id },
  };
}

/** Null when it is not connected. */
export function connectionOf({ connectionInfo, secret }: Attachment): ConnectionInfo | null {
  if (connectionInfo?.data.auth_method !== 'CHAP') return connectionInfo;
  return { ...connectionInfo, data: { ...connectionInfo.data, auth_password: secret } };
}
