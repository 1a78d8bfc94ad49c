import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { newAuthKey, opens } from '../../src/model/auth-key.ts';

describe('the key of a transfer', () => {
  it('opens what is kept of it, and nothing else does', () => {
    const { authKey, kept } = newAuthKey();
    assert.ok(opens(authKey, kept));
    assert.ok(!opens(newAuthKey().authKey, kept));
    assert.ok(!opens(authKey, newAuthKey().kept));
  });

  it("opens what a Cinder has kept of it: HMAC-SHA1, its key the salt's text", () => {
    // From cinder.transfer.api of 21.3.1: salt 'b1ec5a1d', key '4d1c6b0e5a1f9a77'.
    const kept = { salt: 'b1ec5a1d', hash: '6ebf70eef509b1a9fa29029630b1569100a3745d', scheme: 'cinder' } as const;
    assert.ok(opens('4d1c6b0e5a1f9a77', kept));
    assert.ok(!opens('4d1c6b0e5a1f9a78', kept));
  });

  it('opens no hash of another length', () => {
    const { authKey, kept } = newAuthKey();
    for (const hash of ['', '00', `${kept.hash}00`, 'no hexadecimal']) assert.ok(!opens(authKey, { ...kept, hash }));
  });
});
