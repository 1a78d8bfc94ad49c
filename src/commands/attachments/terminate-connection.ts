/** `os-terminate_connection`: closes a volume to a connector, or to all when none is named. An attachment stays. */
import { attachmentsOf } from '../../db/attachments.ts';
import { type Connector, isSameConnector } from '../../model/attachment.ts';
import type { Caller } from '../../model/caller.ts';
import { answerOfFlow } from '../answer-of-flow.ts';
import type { Desk } from '../desk.ts';
import { lockVolume } from '../lock.ts';
import { afterConnecting, beginDisconnection, refuseInUse } from './connect.ts';

export async function terminateConnection(
  desk: Desk,
  caller: Caller,
  id: string,
  connector: Connector | null,
): Promise<void> {
  const flowId = await afterConnecting(desk, async (tx) => {
    const volume = await lockVolume(tx, caller, id);
    const connected = (await attachmentsOf(tx.db, id)).filter(
      (each) => each.connector !== null && (connector === null || isSameConnector(each.connector, connector)),
    );
    refuseInUse(caller, connected);
    if (connected.length === 0) return null;
    const disconnections = connected.map((attachment) => ({
      attachment,
      ends: attachment.attachStatus === 'detached',
    }));
    return beginDisconnection(desk, tx, caller, volume, disconnections, { detaching: false });
  });
  if (flowId !== null) await answerOfFlow(desk, flowId, 'disconnect the volume');
}
