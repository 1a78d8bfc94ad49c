/** The arguments of `tgtadm`, word for word. The first logical unit is tgtd's own controller; ours is the next. */
export const LUN = 1;
type Args = readonly string[];
/** By tgtd's own numbers. */
export interface ConnectionRef {
  readonly session: number;
  readonly connection: number;
}

export const showTargets: Args = ['--op', 'show', '--mode', 'target'];
export const showPortals: Args = ['--op', 'show', '--mode', 'portal'];
export const showAccounts: Args = ['--op', 'show', '--mode', 'account'];
/** Ends the daemon; it may be gone before it answers. */
export const endDaemon: Args = ['--op', 'delete', '--mode', 'system'];

export const newTarget = (tid: number, name: string): Args => [...target('new', tid), '--targetname', name];

/** Refused while a command of one of its sessions is under way. */
export const deleteTarget = (tid: number): Args => ['--force', ...target('delete', tid)];

export const newUnit = (tid: number, path: string): Args => [
  ...unit('new', tid),
  ...['--backing-store', path, '--bstype', 'rdwr', '--blocksize', '512'],
];

/**
 * What makes the disk this volume wherever it is seen, and no other volume: Linux makes its wwid of the id's hexadecimal
 * digits. Blocks of 4 KiB beneath sectors of 512 bytes (`lbppbe`) keep initiators from writing less than a page.
 */
export const describeUnit = (tid: number, { scsiId, readOnly }: { scsiId: string; readOnly: boolean }): Args =>
  updateUnit(
    tid,
    `vendor_id=PUMICE,product_id=VOLUME,scsi_id=${scsiId},scsi_sn=${scsiId},thin_provisioning=1,lbppbe=3,readonly=${readOnly ? 1 : 0}`,
  );

/** Opens its file anew, at the size that it has now. One order, so that nothing comes between its parts. */
export const reopenUnit = (tid: number, path: string): Args => updateUnit(tid, `online=0,path=${path}`);

const updateUnit = (tid: number, params: string): Args => [...unit('update', tid), '--params', params];

/** Ends a connection; what it had sent and was not answered is done all the same, and never answered. */
export const deleteConnection = (tid: number, { session, connection }: ConnectionRef): Args => [
  ...['--op', 'delete', '--mode', 'conn', '--tid', String(tid)],
  ...['--sid', String(session), '--cid', String(connection)],
];

export const newAccount = (user: string, password: string): Args => [
  ...['--op', 'new', '--mode', 'account', '--user', user],
  ...['--password', password],
];
export const deleteAccount = (user: string): Args => ['--op', 'delete', '--mode', 'account', '--user', user];
export const bindAccount = (tid: number, user: string): Args => [
  ...['--op', 'bind', '--mode', 'account', '--tid', String(tid)],
  ...['--user', user],
];

export const bindInitiator = (tid: number, name: string): Args => [...target('bind', tid), '--initiator-name', name];
export const unbindInitiator = (tid: number, name: string): Args => [
  ...target('unbind', tid),
  ...['--initiator-name', name],
];

function target(op: string, tid: number): string[] {
  return ['--op', op, '--mode', 'target', '--tid', String(tid)];
}

function unit(op: string, tid: number): string[] {
  return ['--op', op, '--mode', 'logicalunit', '--tid', String(tid), '--lun', String(LUN)];
}
