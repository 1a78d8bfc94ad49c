import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { clientsOf, connectionInfo, type ExportNote } from '../../../src/drivers/rbd/connection.ts';

const at = (ip: string | null): ExportNote => ({ image: 'volume-1', ip, host: null });
const A = '10.0.0.1:0/1';
const B = '10.0.0.2:0/2';

describe('whose client has an image open when an attachment ends', () => {
  it('is nobody when nobody has it open', () => {
    assert.deepEqual(clientsOf(at('10.0.0.1'), [], []), { fence: [] });
  });

  it('is the one on its machine, and nobody else', () => {
    assert.deepEqual(clientsOf(at('10.0.0.1'), [], [A]), { fence: [A] });
    assert.deepEqual(clientsOf(at('10.0.0.1'), [at('10.0.0.2')], [A, B]), { fence: [A] });
    assert.deepEqual(clientsOf(at('10.0.0.1'), [at('10.0.0.2')], [B]), { fence: [] });
  });

  it('is not told from another attachment of the same machine', () => {
    assert.deepEqual(clientsOf(at('10.0.0.1'), [at('10.0.0.1')], [A]), { fence: [] });
    const two = [A, '10.0.0.1:0/9'];
    assert.deepEqual(clientsOf(at('10.0.0.1'), [at('10.0.0.1')], two), { unknown: ['10.0.0.1:0/9'] });
  });

  it('is not guessed where it comes from an address that nobody has told', () => {
    assert.deepEqual(clientsOf(at('10.0.0.1'), [], [B]), { unknown: [B] });
    assert.deepEqual(clientsOf(at(null), [], [A]), { unknown: [A] });
    assert.deepEqual(clientsOf(null, [], [A]), { unknown: [A] });
    assert.deepEqual(clientsOf(at('10.0.0.1'), [at(null)], [B]), { fence: [] }, 'it may be the other, which stays');
  });

  it('knows addresses of IPv6', () => {
    assert.deepEqual(clientsOf(at('fd00::1'), [], ['[fd00::1]:0/7']), { fence: ['[fd00::1]:0/7'] });
  });
});

describe('how an image is reached', () => {
  it('is told as Cinder tells it, with monitors of IPv6 without brackets, and without a key', () => {
    const wanted = {
      attachmentId: 'a',
      volume: { id: 'v', sizeGiB: 1 },
      connector: {},
      readOnly: true,
      secret: 'kept',
    };
    const address = { conf: '/etc/ceph/ceph.conf', user: 'cinder', cluster: 'ceph', pool: 'volumes' };
    const monitors = ['192.0.2.1:6789', '[fd00::1]:3300'];
    const info = connectionInfo(wanted, 'volume-v', address, { monitors, secretUuid: 's', discard: true });
    assert.deepEqual(info, {
      driver_volume_type: 'rbd',
      data: {
        name: 'volumes/volume-v',
        hosts: ['192.0.2.1', 'fd00::1'],
        ports: ['6789', '3300'],
        cluster_name: 'ceph',
        auth_enabled: true,
        auth_username: 'cinder',
        secret_type: 'ceph',
        secret_uuid: 's',
        volume_id: 'v',
        discard: true,
        access_mode: 'ro',
      },
    });
  });
});
