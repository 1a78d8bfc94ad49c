import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { readImage, readLocations, writeImage } from '../../src/clients/image-metadata.ts';
import { cachedImageId, capturedMetadata } from '../../src/model/image.ts';

const glance = {
  id: '11111111-2222-3333-4444-555555555555',
  name: 'cirros',
  status: 'active',
  visibility: 'public',
  owner: null,
  disk_format: 'qcow2',
  container_format: 'bare',
  size: 100,
  virtual_size: 200,
  min_disk: 1,
  min_ram: 0,
  updated_at: '2026-01-31T12:00:00Z',
  checksum: 'abc',
  os_hash_algo: 'sha512',
  os_hash_value: 'def',
};

describe("an image's metadata", () => {
  test('is written as it was read', () => {
    const image = readImage({ ...glance, os_distro: 'cirros' });
    assert.deepEqual(readImage(JSON.parse(JSON.stringify(writeImage(image)))), image);
  });

  test('that names no algorithm has no hash', () => {
    assert.equal(readImage({ ...glance, os_hash_algo: null }).hash, null);
  });

  test('is refused where it is not what it should be', () => {
    const wrongs = [null, [], 'text', {}, { ...glance, id: 7 }, { ...glance, status: null }, { ...glance, size: -1 }];
    for (const wrong of wrongs) assert.throws(() => readImage(wrong), TypeError);
  });
});

test('the locations of an image are those that are texts, each once', () => {
  const url = 'rbd://fsid/images/id/snap';
  assert.deepEqual(
    readLocations({ ...glance, locations: [{ url, metadata: {} }, null, { url: 7 }], direct_url: url }),
    [url],
  );
  assert.deepEqual(readLocations({ ...glance, locations: url }), []);
});

describe('what a volume remembers of its image', () => {
  test('is the base keys that are known and the properties, as text', () => {
    assert.deepEqual(capturedMetadata(readImage({ ...glance, os_distro: 'cirros', hw_disk_bus: null })), {
      image_id: glance.id,
      image_name: 'cirros',
      checksum: 'abc',
      container_format: 'bare',
      disk_format: 'qcow2',
      min_disk: '1',
      min_ram: '0',
      size: '100',
      os_distro: 'cirros',
    });
  });

  test('leaves out what is not known', () => {
    const captured = capturedMetadata(readImage({ ...glance, name: null, checksum: null, size: null }));
    assert.deepEqual(
      ['image_name', 'checksum', 'size'].filter((key) => key in captured),
      [],
    );
  });

  test('does not let a property pass for a base key', () => {
    assert.equal(capturedMetadata(readImage({ ...glance, image_id: 'forged' })).image_id, glance.id);
  });
});

describe('what an image is called in a cache', () => {
  const idOf = (said: Readonly<Record<string, unknown>>): string | null =>
    cachedImageId(readImage({ ...glance, ...said }));

  test('is an id, the same however often it is asked', () => {
    assert.match(idOf({}) ?? '', /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    assert.equal(idOf({}), idOf({ os_distro: 'only remembered' }));
  });

  test('is another one of another image, of other bytes, and when something was said of it since', () => {
    const others = [
      { id: '21111111-2222-3333-4444-555555555555' },
      { updated_at: '2026-01-31T12:00:01Z' },
      { checksum: 'abd' },
      { os_hash_value: 'dee' },
      { size: 101 },
    ];
    assert.equal(new Set([{}, ...others].map(idOf)).size, 1 + others.length);
  });

  test('is nothing where nobody says which bytes it has', () => {
    assert.equal(idOf({ checksum: null, os_hash_value: null }), null);
  });
});
