"""What is done in a pool, each thing so that it may be asked again after a kill at any point.

The directory of the pool says what there is; that a name opens, or does not, proves nothing. Of a name there is nothing (absent), what a create, a clone
or a removal left that was cut short (half), an id object that a rename left (stale: to remove the image by that name would destroy it
under its new one), or an image (whole).

- What takes more than one step is made under a temporary name, looked at, and renamed: a clone that was cut short has the right name and size, and
  reads as zeroes.
- A removal is asked again by name whatever there seems to be: one that was cut short is in a part of the trash that no list shows.
- Nothing is flattened to delete anything. What has snapshots or clones goes to the trash, which `collect` empties later.
- The content of an image is exchanged in place, with a note of how to come back (`pending:` below): until the note is gone whoever wants the
  content goes back first (`settle`). So a volume holds what it held, or what it is to hold.

The omap of the object `pumice` keeps, by key: `helper:WHO` (the RADOS address of who serves the pool, to be fenced after it has died), `expelled:WHO`
(since when he was fenced and has not come back), `pending:IMAGE-ID`,
`reverted:IMAGE-ID` (it was rolled back once), `deep:IMAGE-ID` (it is to be flattened), `wanted:IMAGE-ID`
(and not now), `unmanaged:NAME` (since when), `export:ATTACHMENT`, `moment:SNAPSHOT` (the first of those that are of its moment: the temporary
name of each).
"""
import errno, json, struct, time
import rados, rbd
import one_moment

LONG = ('remove', 'delete', 'flatten', 'collect', 'shorten')
NOTES = 'pumice'
UNDO = '.tmp-undo'
BASE = 'base'
LIMITED = 'pumice_limited'  # of an image: which of its options are from QoS specs
MEBIBYTE = 1 << 20
IN_TURN = 100
EXPELLED = 7 * 86400  # seconds: no process is frozen for as long and thawed
REMOVING = 3  # where what is in the trash is from: a removal (cls_rbd_types.h)
ALL_FEATURES = rbd.RBD_FEATURE_LAYERING | rbd.RBD_FEATURE_EXCLUSIVE_LOCK | rbd.RBD_FEATURE_OBJECT_MAP | rbd.RBD_FEATURE_FAST_DIFF | rbd.RBD_FEATURE_DEEP_FLATTEN
TRASHED = rbd.RBD_SNAP_NAMESPACE_TYPE_TRASH
USERS = rbd.RBD_SNAP_NAMESPACE_TYPE_USER


class Failed(Exception):
    """`what`: mismatch, missing, busy, in_use."""

    def __init__(self, what, text):
        super().__init__(text)
        self.what, self.errno = what, None


def packed(text):
    data = text.encode()
    return struct.pack('<I', len(data)) + data


def unpacked(data):
    return data[4:4 + struct.unpack('<I', data[:4])[0]].decode()


def or_none(call, *args):
    try:
        return call(*args)
    except (rados.ObjectNotFound, rbd.ImageNotFound):
        return None


class Operations:
    def __init__(self, cluster, pool):
        self.shortening = None  # id of the image that is flattened in the background
        self.sizes = {}  # by id, those first that were asked longest ago
        self.cluster, self.pool, self.rbd = cluster, pool, rbd.RBD()
        self.io = cluster.open_ioctx(pool)
        # A full pool answers at once, and deleting works. Without it everything would hang.
        self.io.set_osdmap_full_try()

    # The pool, and who serves it

    def facts(self):
        dump = self.mon('osd dump')
        return {'minCompatClient': dump['require_min_compat_client'], 'poolId': self.io.get_pool_id()}

    def mon(self, prefix, **more):
        command = json.dumps({'prefix': prefix, 'format': 'json', **more})
        code, out, text = self.cluster.mon_command(command, b'')
        if code:
            error = Failed('refused', '%s: %s' % (prefix, text))
            error.errno = -code
            raise error
        # Of a list it may say more behind it.
        return json.JSONDecoder().raw_decode(out.decode().strip())[0] if out.strip() else None

    def enter(self, who, address):
        """From here on `who` is this client. The one that it was before does nothing any more."""
        # It must be there before the pool is full: without it a removal says "not found" and removes nothing.
        self.io.write('rbd_trash', b'')
        before = self.notes('helper:').get(who)
        if before and before['address'] != address:
            self.fence(before['address'])
        self.note('helper:' + who, {'address': address})
        self.forget('expelled:' + who)

    def enter_again(self, who, address):
        """The same for one that follows a helper which has ended, unless `who` was expelled meanwhile, who could not be fenced by this address."""
        self.note('helper:' + who, {'address': address})
        # Whoever expels makes his note first, and reads the other one then: one of the two finds what the other has noted.
        if self.note_of('expelled:' + who) is not None:
            self.forget('helper:' + who)
            error = Failed('expelled', '%s was expelled' % who)
            error.errno = errno.ESHUTDOWN
            raise error

    def leave(self, who, address):
        found = self.notes('helper:').get(who)
        if found and found['address'] == address:
            self.forget('helper:' + who)

    def helpers(self):
        return {who: found['address'] for who, found in self.notes('helper:').items()}

    def expel(self, who):
        """What `who` was about to do does not happen any more, also when it is only frozen."""
        self.note('expelled:' + who, time.time())
        before = self.notes('helper:').get(who)
        if before:
            self.fence(before['address'])
            self.forget('helper:' + who)
        for other, since in self.notes('expelled:').items():
            if time.time() - since > EXPELLED:
                self.forget('expelled:' + other)

    def fence(self, address):
        """When it returns, nothing that this client was about to do will happen. About a round of the monitors."""
        self.mon('osd blocklist', blocklistop='add', addr=address, expire=3600.0)
        self.cluster.wait_for_latest_osdmap()

    def monitors(self):
        return [mon['addr'].split('/')[0] for mon in self.mon('mon dump')['mons']]

    def stats(self):
        df = self.mon('df')
        # Of a pool that was just made nobody tells anything yet.
        unknown = {'stored': 0, 'max_avail': df['stats']['total_avail_bytes']}
        report = next((pool['stats'] for pool in df['pools'] if pool['name'] == self.pool), unknown)
        images, trashed = self.provisioned()
        quota = 0 if report is unknown else self.mon('osd pool get-quota', pool=self.pool)['quota_max_bytes']
        stored = report['stored'] if 'stored' in report else report['bytes_used']
        return {'stored': stored, 'maxAvail': report['max_avail'], 'quota': quota, 'provisioned': sum(images), 'trashed': sum(trashed),
                'images': len(images)}

    def provisioned(self):
        """Bytes of each image, and of each in the trash. A header is asked when it is new, when its size was changed from here, and in its turn: what
        others grow is seen some calls later. `pool_stats_get` asks all of them each time. Of one thread (PROBES, rbd-helper.py)."""
        images = {entry['id'] for entry in self.rbd.list2(self.io)}
        trashed = {entry['id'] for entry in self.rbd.trash_list(self.io)}
        there, known = images | trashed, self.sizes
        for image in [image for image in list(known) if image not in there]:
            known.pop(image, None)
        for image in list(known)[:IN_TURN]:
            known.pop(image, None)
        known.update(self.sized([image for image in there if image not in known]))
        return [known.get(image) or 0 for image in images], [known.get(image) or 0 for image in trashed]

    def sized(self, images):
        """Their bytes by their ids; None of one that is half made. The headers alone are asked, all at once: to open each would take 10 ms."""
        found, pending = {}, []
        for image in images:
            def told(_, data, image=image):
                found[image] = struct.unpack('<BQ', data)[1] if data and len(data) >= 9 else None
            pending.append(self.io.aio_execute('rbd_header.' + image, 'rbd', 'get_size', b'\xfe' + b'\xff' * 7, oncomplete=told))
        for each in pending:
            each.wait_for_complete_and_cb()
        return found

    # Notes

    def notes(self, prefix):
        found, after = {}, ''
        while True:
            with rados.ReadOpCtx() as op:
                entries, _ = self.io.get_omap_vals(op, after, prefix, 1000)
                try:
                    self.io.operate_read_op(op, NOTES)
                except rados.ObjectNotFound:
                    return {}
                entries = list(entries)
            for key, value in entries:
                found[key[len(prefix):]] = json.loads(value)
            if len(entries) < 1000:
                return found
            after = entries[-1][0]

    def note_of(self, key):
        with rados.ReadOpCtx() as op:
            entries, _ = self.io.get_omap_vals_by_keys(op, (key,))
            try:
                self.io.operate_read_op(op, NOTES)
            except rados.ObjectNotFound:
                return None
            for _, value in entries:
                return json.loads(value)
        return None

    def note(self, key, value):
        with rados.WriteOpCtx() as op:
            self.io.set_omap(op, (key,), (json.dumps(value).encode(),))
            self.io.operate_write_op(op, NOTES)

    def forget(self, key):
        with rados.WriteOpCtx() as op:
            self.io.remove_omap_keys(op, (key,))
            or_none(self.io.operate_write_op, op, NOTES)

    # What there is

    def in_directory(self, name):
        found = or_none(self.io.execute, 'rbd_directory', 'rbd', 'dir_get_id', packed(name))
        return unpacked(found[1]) if found else None

    def name_in_directory(self, image):
        found = or_none(self.io.execute, 'rbd_directory', 'rbd', 'dir_get_name', packed(image))
        return unpacked(found[1]) if found else None

    def in_id_object(self, name):
        data = or_none(self.io.read, 'rbd_id.' + name)
        return unpacked(data) if data else None

    def has_header(self, image):
        return or_none(self.io.stat, 'rbd_header.' + image) is not None

    def opened(self, name=None, image=None, read_only=False, io=None, snapshot=None):
        return rbd.Image(io or self.io, name, image_id=image, read_only=read_only, snapshot=snapshot)

    def state(self, name):
        image, idobj = self.in_directory(name), self.in_id_object(name)
        if image is None:
            if idobj is None:
                return 'absent', None
            return ('stale' if self.name_in_directory(idobj) or not self.has_header(idobj) else 'half'), idobj
        if idobj is None or not self.has_header(image):
            return 'half', image
        return 'whole', image

    def look(self, name):
        state, image = self.state(name)
        if state != 'whole':
            return {'is': state}
        with self.opened(name, read_only=True) as i:
            parent = None
            if or_none(i.parent_info):
                spec = i.get_parent_image_spec()
                parent = {'pool': spec['pool_name'], 'image': spec['image_name'], 'snapshot': spec['snap_name'], 'id': i.parent_id()}
            return {'is': 'whole', 'id': image, 'bytes': i.size(), 'parent': parent, 'snapshots': self.snapshots(i),
                    'watchers': self.strangers(i), 'objectBytes': 1 << i.stat()['order']}

    def snapshots(self, image):
        return [{'name': s['name'], 'bytes': s['size']} for s in image.list_snaps() if s['namespace'] == USERS]

    def strangers(self, image):
        """Addresses of those who have it open, but for this client. One that is fenced is waited for: its watch ends within seconds."""
        own = self.cluster.get_addrs()
        for wait in [0.05, 0.1, 0.2] + [0.5] * 20:
            found = {w['addr'] for w in image.watchers_list() if w['addr'] not in own}
            fenced = found & self.fenced() if found else set()
            if not fenced:
                break
            time.sleep(wait)
        return sorted(found - fenced)

    def fenced(self):
        return {entry['addr'] for entry in self.mon('osd blocklist ls') or []}

    def whole(self, name):
        state, image = self.state(name)
        if state != 'whole':
            raise Failed('missing', '%s is not in the pool' % name)
        return image

    def image_of(self, name, snapshot):
        """The id of the image that has the snapshot: of this name or, where there is none, once of this name and in the trash. None when there is none."""
        state, image = self.state(name)
        trashed = [] if state == 'whole' else [entry['id'] for entry in self.rbd.trash_list(self.io) if entry['name'] == name]
        for each in [image] if state == 'whole' else trashed:
            try:
                with self.opened(image=each, read_only=True) as i:
                    for s in i.list_snaps():
                        if s['namespace'] == USERS and s['name'] == snapshot and self.is_whole(each, i, s):
                            return each, s['size']
            except rbd.ImageNotFound:
                pass
        return None

    def is_whole(self, image, opened, snapshot):
        """Of one whose creation was cut short there is no object map: it is listed, and does not open."""
        if not opened.features() & rbd.RBD_FEATURE_OBJECT_MAP:
            return True
        return or_none(self.io.stat, 'rbd_object_map.%s.%016x' % (image, snapshot['id'])) is not None

    def list(self):
        """Each image with its size (None: half made) and the snapshots of its users."""
        contexts, pending = {}, []
        entries = list(self.rbd.list2(self.io))
        for entry in entries:
            header = 'rbd_header.' + entry['id']

            def counted(_, data, name=entry['name']):
                contexts[name] = struct.unpack('<QI', data[:12])[1] if data and len(data) >= 12 else 0
            pending.append(self.io.aio_execute(header, 'rbd', 'get_snapcontext', b'', oncomplete=counted))
        sizes = self.sized([entry['id'] for entry in entries])
        for each in pending:
            each.wait_for_complete_and_cb()
        found = []
        for entry in entries:
            name, snapshots = entry['name'], []
            if contexts.get(name):
                with_snapshots = or_none(self.snapshots_of, name)
                snapshots = with_snapshots or []
            found.append({'name': name, 'bytes': sizes.get(entry['id']), 'snapshots': snapshots})
        return {'images': found, 'unmanaged': self.notes('unmanaged:')}

    def snapshots_of(self, name):
        with self.opened(name, read_only=True) as i:
            return self.snapshots(i)

    # Images

    def clear(self, name):
        """Takes away what is half made under a name. Never what is whole."""
        state, _ = self.state(name)
        if state == 'stale':
            self.io.remove_object('rbd_id.' + name)
        elif state == 'half':
            or_none(self.rbd.remove, self.io, name)
        return state

    def matches(self, name, size):
        with self.opened(name, read_only=True) as i:
            if i.size() != size:
                raise Failed('mismatch', '%s is in the pool with %d bytes' % (name, i.size()))

    def create(self, name, size, **how):
        if self.clear(name) == 'whole':
            self.matches(name, size)
            with self.opened(name) as i:
                if i.flags():
                    i.rebuild_object_map()
            return
        self.make(name, size, **how)

    def make(self, name, size, order=22):
        self.rbd.create(self.io, name, size, order, old_format=False, features=ALL_FEATURES)

    def rename(self, old, new):
        for name in (old, new):
            if self.state(name)[0] == 'stale':
                self.io.remove_object('rbd_id.' + name)
        if self.in_directory(new) is not None:
            if self.in_directory(old) is not None:
                raise Failed('mismatch', '%s is in the pool' % new)
            return
        self.rbd.rename(self.io, old, new)

    def publish(self, temporary, name, size):
        """The temporary is whole. What is there by now under the name is another call's work, and as good when it matches."""
        if self.clear(name) == 'whole':
            self.discard(temporary)
            self.matches(name, size)
        else:
            self.rename(temporary, name)

    def clone(self, parent, snapshot, name, size, temporary, parent_bytes=None, parent_pool=None, deepest=0):
        """`parent_bytes`: what the snapshot must have at most, in whole GiB. The parent may be in the trash."""
        self.drop_temporaries(name)
        if self.clear(name) == 'whole':
            self.matches(name, size)
            return self.mark_deep(name, deepest)
        self.clone_to(temporary, parent, snapshot, size, parent_bytes, parent_pool)
        self.publish(temporary, name, size)
        self.mark_deep(name, deepest)

    def temporaries(self, name):
        """What unfinished calls left that were to be of this name."""
        prefix, found = '.tmp-%s.' % name, []
        _, data = or_none(self.io.execute, 'rbd_directory', 'rbd', 'dir_list', packed(prefix) + struct.pack('<Q', 64)) or (0, b'\0\0\0\0')
        count, at = struct.unpack('<I', data[:4])[0], 4
        for _ in range(count):
            key, at = unpacked(data[at:]), at + 4 + struct.unpack('<I', data[at:at + 4])[0]
            at += 4 + struct.unpack('<I', data[at:at + 4])[0]
            if key.startswith(prefix):
                found.append(key)
        return found

    def drop_temporaries(self, name):
        for temporary in self.temporaries(name):
            self.discard(temporary)

    def clone_to(self, temporary, parent, snapshot, size, parent_bytes=None, parent_pool=None):
        with_parent = self.cluster.open_ioctx(parent_pool) if parent_pool else self.io
        try:
            if parent_pool:
                with self.opened(parent, read_only=True, io=with_parent) as i:
                    stripe, bytes_of = i.stripe_unit(), next((s['size'] for s in i.list_snaps() if s['name'] == snapshot), None)
                if bytes_of is None:
                    raise Failed('missing', 'There is no snapshot %s of %s' % (snapshot, parent))
                by_id = None
            else:
                found = self.image_of(parent, snapshot)
                if found is None:
                    raise Failed('missing', 'There is no snapshot %s of %s in the pool' % (snapshot, parent))
                by_id, bytes_of = found
                with self.opened(image=by_id, read_only=True) as i:
                    stripe = i.stripe_unit()
            if parent_bytes is not None and not parent_bytes - (1 << 30) < bytes_of <= parent_bytes:
                raise Failed('mismatch', '%s@%s has %d bytes' % (parent, snapshot, bytes_of))
            if bytes_of > size:
                raise Failed('too_big', '%s@%s has %d bytes' % (parent, snapshot, bytes_of))
            order = max(22, (stripe - 1).bit_length())
            name_of_parent = parent
            if by_id is not None and self.in_directory(parent) != by_id:
                # Of an image in the trash a clone can be made only by its name.
                raise Failed('missing', '%s was deleted' % parent)
            self.rbd.clone(with_parent, name_of_parent, snapshot, self.io, temporary, features=ALL_FEATURES, order=order)
        finally:
            if parent_pool:
                with_parent.close()
        with self.opened(temporary) as i:
            if i.size() < size:
                i.resize(size, False)
                self.sizes.pop(i.id(), None)

    def clone_volume(self, source, source_bytes, helper, name, size, temporary, deepest=0):
        """A clone of what an image holds now, by a snapshot of it that goes with the clone. `helper`: the name of the snapshot."""
        self.drop_temporaries(name)
        if self.clear(name) == 'whole':
            self.matches(name, size)
            self.drop_snapshot(source, helper)
            return self.mark_deep(name, deepest)
        self.demand(source, source_bytes)
        self.settle(source)
        self.make_snapshot(source, helper)
        try:
            self.clone_to(temporary, source, helper, size)
            self.publish(temporary, name, size)
            self.mark_deep(name, deepest)
        finally:
            self.drop_snapshot(source, helper)

    def demand(self, name, size):
        """It is there, and has so many bytes rounded up to whole GiB. Returns its bytes."""
        self.whole(name)
        with self.opened(name, read_only=True) as i:
            found = i.size()
        if not size - (1 << 30) < found <= size:
            raise Failed('mismatch', '%s is in the pool with %d bytes' % (name, found))
        return found

    def remove(self, name, progress=None):
        """`gone`, or `trashed`: it has snapshots or clones. Refused while anybody has it open, with nothing touched."""
        state, image = self.state(name)
        if state == 'stale':
            self.io.remove_object('rbd_id.' + name)
            return 'gone'
        if state == 'whole':
            self.let_go(name, image)
            with self.opened(name, read_only=True) as i:
                if self.strangers(i):
                    raise Failed('busy', '%s is open elsewhere (%s)' % (name, ', '.join(self.strangers(i))))
                ours = [s['name'] for s in i.list_snaps() if s['namespace'] == USERS and s['name'].startswith('.tmp-')]
            for snapshot in ours:
                self.drop_snapshot(name, snapshot)
        where = 'gone'
        try:
            self.rbd.remove(self.io, name, on_progress=progress)
        except rbd.ImageNotFound:
            pass
        except rbd.ImageHasSnapshots:
            self.rbd.trash_move(self.io, name, 0)
            where = 'trashed'
        if self.state(name)[0] != 'absent':
            raise Failed('unremoved', '%s was not removed' % name)  # "not found" does not prove it
        if image is not None:
            self.forget('pending:' + image)
            self.forget('reverted:' + image)
            self.forget('deep:' + image)
        self.forget('unmanaged:' + name)
        return where

    def delete(self, name, progress=None):
        """Of what was given back to its operator under this very name, nothing."""
        self.drop_temporaries(name)
        return 'kept' if self.note_of('unmanaged:' + name) else self.remove(name, progress)

    def discard(self, temporary):
        """What has a temporary name is nobody's: whoever has it open has died, or is to be stopped."""
        if self.state(temporary)[0] == 'whole':
            with self.opened(temporary, read_only=True) as i:
                strangers = self.strangers(i)
            for address in strangers:
                self.fence(address)
            self.drop_snapshot(temporary, BASE)
        self.remove(temporary)

    def probe(self, name, snapshot=None):
        if snapshot is not None:
            found = self.image_of(name, snapshot)
            return {'is': 'absent'} if found is None else {'is': 'present', 'bytes': found[1]}
        state, _ = self.state(name)
        if state == 'whole':
            with self.opened(name, read_only=True) as i:
                return {'is': 'present', 'bytes': i.size()}
        return {'is': 'partial' if self.temporaries(name) else 'absent'}

    def extend(self, name, size):
        self.whole(name)
        self.settle(name)
        self.resize(name, size)

    def resize(self, name, size):
        self.whole(name)
        with self.opened(name) as i:
            if i.size() > size:
                raise Failed('mismatch', '%s is larger: %d bytes' % (name, i.size()))
            if i.size() < size:
                i.resize(size, False)
                self.sizes.pop(i.id(), None)

    def flatten(self, name, progress=None):
        self.whole(name)
        with self.opened(name) as i:
            if or_none(i.parent_info):
                i.flatten(on_progress=progress)

    def depth(self, name):
        """How many images it reads through, but for itself."""
        depth, io, image = 0, self.io, self.whole(name)
        while depth < 32:
            with rbd.Image(io, image_id=image, read_only=True) as i:
                if or_none(i.parent_info) is None:
                    return depth
                if i.get_parent_image_spec()['pool_name'] != self.pool:
                    return depth + 1
                image = i.parent_id()
            depth += 1
        return depth

    def mark_deep(self, name, deepest):
        """It is to get what it shares, in the background, when it reads through more images than so many. 0: through any number."""
        if deepest and self.depth(name) > deepest:
            self.note('deep:' + self.in_directory(name), True)

    def shorten(self, progress=None):
        """Flattens what was marked, one after another, and lets go of an image that somebody wants. Returns the names."""
        done = []
        for image in self.notes('deep:'):
            name = self.name_in_directory(image)
            if name is None:
                self.forget('deep:' + image)
                continue
            with self.opened(name, read_only=True) as i:
                if self.at_work(i):
                    continue
            looked = [time.monotonic()]

            def watch(at, whole, image=image):
                if time.monotonic() - looked[0] > 0.5:
                    looked[0] = time.monotonic()
                    if self.note_of('wanted:' + image):
                        return -errno.ECANCELED
                return progress(at, whole) if progress else 0
            self.shortening = image
            try:
                self.flatten(name, watch)
                self.forget('deep:' + image)
                done.append(name)
            except (rbd.OperationCanceled, rbd.ImageBusy):
                pass
            finally:
                self.shortening = None
        return done

    def at_work(self, image):
        """Addresses of those who serve the pool and have it open."""
        return set(self.helpers().values()) & set(self.strangers(image))

    def let_go(self, name, image):
        """Who flattens it in the background, here or elsewhere, stops."""
        for wait in [0] + [0.25] * 60:
            with self.opened(name, read_only=True) as i:
                if self.shortening != image and not (self.strangers(i) and self.at_work(i)):
                    break
            if not wait:
                self.note('wanted:' + image, True)
            time.sleep(wait)
        else:
            raise Failed('busy', '%s is being flattened' % name)
        if wait:
            self.forget('wanted:' + image)

    # Snapshots

    def create_snapshot(self, name, snapshot, size):
        there = self.image_of(name, snapshot)
        if there is None:
            self.demand(name, size)
            self.settle(name)
            self.make_snapshot(name, snapshot)
            there = self.image_of(name, snapshot)
        if there is None or not size - (1 << 30) < there[1] <= size:
            raise Failed('mismatch', '%s@%s is in the pool with %s bytes' % (name, snapshot, there and there[1]))

    def create_moment(self, members):
        """A snapshot of each of them, of one moment: `name` of the image, `snapshot`, `temporary`, `size`. Once all have a temporary name that is noted;
        each gets its own then, the first one the last, which so is there when all are."""
        key = 'moment:' + members[0]['snapshot']
        pending = self.note_of(key)
        if pending is None:
            if self.are_there(members):
                return
            self.take_moment(members)
            pending = {member['snapshot']: member['temporary'] for member in members}
            self.note(key, pending)
        if set(pending) != {member['snapshot'] for member in members}:
            raise Failed('mismatch', '%s is in the pool, and is of other snapshots' % key)
        for member in reversed(members):
            self.rename_snapshot(member['name'], pending[member['snapshot']], member['snapshot'])
        self.forget(key)

    def are_there(self, members):
        found = {member['snapshot']: self.image_of(member['name'], member['snapshot']) for member in members}
        there = [snapshot for snapshot in found if found[snapshot]]
        if there and len(there) < len(members):
            raise Failed('mismatch', '%s is in the pool without the others of its moment' % there[0])
        for member in members if there else []:
            bytes_of = found[member['snapshot']][1]
            if not member['size'] - (1 << 30) < bytes_of <= member['size']:
                raise Failed('mismatch', '%s@%s is in the pool with %d bytes' % (member['name'], member['snapshot'], bytes_of))
        return bool(there)

    def take_moment(self, members):
        for member in members:
            self.demand(member['name'], member['size'])
            self.settle(member['name'])
            self.let_go(member['name'], self.whole(member['name']))
            self.demand_lock(member['name'])
        taken = [(self.whole(member['name']), member['temporary']) for member in members]

        def drop():
            for member in members:
                self.drop_snapshot(member['name'], member['snapshot'])
        drop()
        try:
            if not one_moment.take(self.cluster, self.io, taken, drop):
                raise Failed('unheld', 'who writes to them could not be made to wait for as long as it takes')
        except Exception:
            drop()
            raise

    def demand_lock(self, name):
        with self.opened(name, read_only=True) as i:
            if not i.features() & rbd.RBD_FEATURE_EXCLUSIVE_LOCK:
                raise Failed('unheld', '%s has no exclusive lock ("rbd feature enable %s/%s exclusive-lock")' % (name, self.pool, name))

    def make_snapshot(self, name, snapshot):
        image = self.whole(name)
        with self.opened(name) as i:
            for s in list(i.list_snaps()):
                if s['namespace'] == USERS and s['name'] == snapshot:
                    if self.is_whole(image, i, s):
                        return
                    i.remove_snap(snapshot)
            i.create_snap(snapshot)

    def delete_snapshot(self, name, snapshot):
        """Gone is what no user sees; what has clones stays hidden, and goes with the last of them."""
        state, image = self.state(name)
        if state == 'whole':
            pending = self.note_of('pending:' + image)
            if pending and pending['to'] == snapshot:
                self.settle(name)
        if self.note_of('moment:' + snapshot):
            self.forget('moment:' + snapshot)
        if self.note_of('unmanaged:%s@%s' % (name, snapshot)):
            return
        images = [image] if state == 'whole' else []
        images += [entry['id'] for entry in self.rbd.trash_list(self.io) if entry['name'] == name]
        for each in images:
            or_none(self.drop_snapshot, None, snapshot, each)

    def drop_snapshot(self, name, snapshot, image=None):
        """Also what was to be it, under a temporary name."""
        if image is None and self.state(name)[0] != 'whole':
            return
        with self.opened(None if image else name, image) as i:
            was_to_be = '.tmp-%s.' % snapshot
            for each in [s['name'] for s in self.snapshots(i)]:
                if each == snapshot or each.startswith(was_to_be):
                    if i.is_protected_snap(each):
                        i.unprotect_snap(each)
                    i.remove_snap(each)
            # A removal that was cut short: hidden, holding space, and "not found" for whoever removes it by name.
            for s in list(i.list_snaps()):
                if s['namespace'] == TRASHED and (s['trash']['original_name'] == snapshot or s['trash']['original_name'].startswith(was_to_be)):
                    try:
                        i.remove_snap_by_id(s['id'])
                    except rbd.ImageBusy:
                        pass

    def rename_snapshot(self, name, old, new):
        self.whole(name)
        with self.opened(name) as i:
            names = [s['name'] for s in i.list_snaps() if s['namespace'] == USERS]
            if new in names:
                if old in names:
                    raise Failed('mismatch', '%s@%s is in the pool' % (name, new))
                return
            if old not in names:
                raise Failed('missing', 'There is no snapshot %s of %s' % (old, name))
            i.rename_snap(old, new)

    # What clients own

    def take_over(self, old, name, size):
        """`size`: in whole GiB."""
        if self.state(name)[0] == 'whole':
            self.demand(name, size)
        else:
            self.demand(old, size)
            self.demand_closed(old)
            self.rename(old, name)
        for given in (old, name):
            self.forget('unmanaged:' + given)

    def give_back(self, name, old, now):
        """Under the name it had, or its own: then the pool knows since when."""
        if self.state(name)[0] != 'whole':
            return
        if old != name and self.state(old)[0] in ('absent', 'stale'):
            self.rename(name, old)
        elif self.note_of('unmanaged:' + name) is None:
            self.note('unmanaged:' + name, now)

    def take_over_snapshot(self, name, old, snapshot, size):
        there = self.image_of(name, snapshot)
        if there is None:
            self.rename_snapshot(name, old, snapshot)
            there = self.image_of(name, snapshot)
        if there is None or not size - (1 << 30) < there[1] <= size:
            raise Failed('mismatch', '%s@%s is in the pool with %s bytes' % (name, snapshot, there and there[1]))
        for given in (old, snapshot):
            self.forget('unmanaged:%s@%s' % (name, given))

    def give_back_snapshot(self, name, snapshot, old, now):
        if self.image_of(name, snapshot) is None:
            return
        if old != snapshot and self.image_of(name, old) is None:
            self.rename_snapshot(name, snapshot, old)
        elif self.note_of('unmanaged:%s@%s' % (name, snapshot)) is None:
            self.note('unmanaged:%s@%s' % (name, snapshot), now)

    def unmanaged(self, name):
        return self.note_of('unmanaged:' + name)

    def watchers(self, name):
        if self.state(name)[0] != 'whole':
            return []
        with self.opened(name, read_only=True) as i:
            return self.strangers(i)

    # Who has it open

    def open_to(self, name, attachment, note, limits=None):
        self.whole(name)
        self.settle(name)
        if limits is not None:
            self.limit(name, limits)
        self.note('export:' + attachment, note)

    def limit(self, name, limits):
        """These options of the image, in effect at once for whoever has it open. Those that were set by hand stay, the earlier ones of ours go."""
        with self.opened(name, read_only=True) as i:
            has = dict(i.metadata_list())
        ours = json.loads(has.get(LIMITED, '[]'))
        wanted = {'conf_' + option: value for option, value in limits.items()}
        gone = [key for key in ours if key in has and key not in wanted]
        changed = {key: value for key, value in wanted.items() if has.get(key) != value}
        if not gone and not changed and set(ours) <= set(wanted):
            return
        with self.opened(name) as i:
            i.metadata_set(LIMITED, json.dumps(sorted(set(ours) | set(wanted))))
            for key in gone:
                i.metadata_remove(key)
            for key, value in changed.items():
                i.metadata_set(key, value)
            if wanted:
                i.metadata_set(LIMITED, json.dumps(sorted(wanted)))
            else:
                i.metadata_remove(LIMITED)

    def exports(self):
        return self.notes('export:')

    def close_to(self, attachment):
        self.forget('export:' + attachment)

    # Images that are kept

    def keep_image(self, name, temporary):
        """The temporary is whole. A clone is made of its snapshot."""
        self.make_snapshot(temporary, BASE)
        if self.clear(name) == 'whole':
            self.discard(temporary)
        else:
            self.rename(temporary, name)

    def drop_image(self, name):
        self.drop_temporaries(name)
        self.drop_snapshot(name, BASE)
        self.remove(name)

    # Content that is exchanged

    def revert(self, name, snapshot, size, snapshot_bytes):
        found = self.image_of(name, snapshot)
        image = self.whole(name)
        if found is None or found[0] != image:
            raise Failed('missing', 'There is no snapshot %s of %s' % (snapshot, name))
        if not snapshot_bytes - (1 << 30) < found[1] <= snapshot_bytes:
            raise Failed('mismatch', '%s@%s has %d bytes' % (name, snapshot, found[1]))
        self.settle(name)
        bytes_now = self.demand(name, size)
        self.demand_closed(name)
        self.note('pending:' + image, {'to': snapshot, 'bytes': bytes_now})
        self.settle(name)

    def demand_closed(self, name):
        self.let_go(name, self.whole(name))
        with self.opened(name, read_only=True) as i:
            if self.strangers(i):
                raise Failed('in_use', '%s is open elsewhere (%s)' % (name, ', '.join(self.strangers(i))))

    def have_alone(self, name):
        """Whoever else has it open does nothing any more: what is to be written to is attached to nobody."""
        for address in self.watchers(name):
            self.fence(address)

    def begin_exchange(self, name, size):
        """It is blank when it returns, and has what it had again unless `end_exchange` comes before `settle`."""
        image = self.whole(name)
        self.settle(name)
        found = self.demand(name, size)
        self.demand_closed(name)
        with self.opened(name) as i:
            used = []
            i.diff_iterate(0, found, None, lambda at, length, exists: used.append(exists), include_parent=True, whole_object=True)
        if any(used):
            self.make_snapshot(name, UNDO)
        self.note('pending:' + image, {'to': UNDO if any(used) else None, 'bytes': found})
        if any(used):
            with self.opened(name) as i:
                i.resize(0)
                i.resize(max(found, size))
            self.sizes.pop(image, None)
        return max(found, size)

    def end_exchange(self, name):
        image = self.whole(name)
        self.forget('pending:' + image)
        self.drop_snapshot(name, UNDO)

    def settle(self, name):
        """Goes back, or on, to what the image is to hold when a change of its content was cut short."""
        image = self.whole(name)
        pending = self.note_of('pending:' + image)
        if pending is not None:
            with self.opened(name, read_only=True) as i:
                strangers = self.strangers(i)
            for address in strangers:  # a dead program of ours: nobody else was let in
                self.fence(address)
            with self.opened(name) as i:
                if pending['to'] is None:
                    i.resize(0)
                else:
                    self.note('reverted:' + image, True)
                    i.rollback_to_snap(pending['to'])
                if i.size() != pending['bytes']:
                    i.resize(pending['bytes'])
                self.sizes.pop(image, None)
            self.forget('pending:' + image)
        self.drop_snapshot(name, UNDO)

    # What backups are read from

    def keep_for_backup(self, name, of, snapshot, kept, size, source_bytes, temporary):
        """`kept`, a clone in whole GiB of `snapshot`, which is taken when `of` is nothing."""
        if self.clear(kept) == 'whole':
            return self.matches(kept, size)
        self.whole(name)
        if of is None:
            self.create_snapshot(name, snapshot, source_bytes)
        self.clone(name, of or snapshot, kept, size, temporary)

    def drop_for_backup(self, name, snapshot, kept):
        self.shut_out(kept)
        self.remove(kept)
        self.delete_snapshot(name, snapshot)

    def shut_out(self, kept):
        """Only programs of ours have it open. One that does not let go is of a process that is frozen or cut off."""
        for wait in [0.25] * 20 + [0]:
            watching = self.watchers(kept)
            if not watching:
                return
            time.sleep(wait)
        for address in watching:
            self.fence(address)

    def changed(self, earlier, later):
        """[at, bytes] of where two clones of one image's snapshots may differ; None when nobody can tell."""
        parents = []
        for name in (earlier, later):
            with self.opened(name, read_only=True) as i:
                if or_none(i.parent_info) is None:
                    return None
                parents.append((i.parent_id(), i.get_parent_image_spec()['snap_name'], i.size()))
        (image, before, _), (other, after, size) = parents
        if image != other:
            return None
        if before == after:
            return []
        with self.opened(image=image, read_only=True) as i:
            ids = {s['name']: s['id'] for s in i.list_snaps() if s['namespace'] == USERS}
            sizes = {s['name']: s['size'] for s in i.list_snaps() if s['namespace'] == USERS}
        if before not in ids or after not in ids:
            return None
        if ids[before] > ids[after]:
            before, after = after, before
        found = []
        # A rollback takes the snapshot's object map along, which calls clean what has changed again: then each object is asked.
        quick = self.note_of('reverted:' + image) is None
        with self.opened(image=image, read_only=True, snapshot=after) as i:
            i.diff_iterate(0, i.size(), before, lambda at, length, exists: found.append([at, length]), include_parent=True, whole_object=quick)
        least = min(sizes[before], sizes[after])
        if size > least:
            found.append([least, size - least])
        return merged(found, size)

    # What was left

    def sweep(self, busy):
        """Takes away what calls left that nobody asks again, but for what is of the ids in `busy`. Returns the names."""
        swept, pending = [], self.notes('pending:')
        for entry in list(self.rbd.list2(self.io)):
            name, image = entry['name'], entry['id']
            if any(each in name for each in busy):
                continue
            if name.startswith('.tmp-'):
                self.discard(name)
                swept.append(name)
            elif image in pending and self.state(name)[0] == 'whole':
                self.settle(name)
                swept.append('%s@%s' % (name, UNDO))
        for image, name in self.half_removed():
            if any(each in name for each in busy):
                continue
            try:
                self.rbd.trash_remove(self.io, image, True)
                swept.append(name)
            except (rbd.ImageBusy, rbd.ImageNotFound, rbd.ImageHasSnapshots, rbd.PermissionError):
                pass
        moments, left = self.notes('moment:'), self.left_snapshots()
        for name, snapshot in left:
            if not any(each in name or each in snapshot for each in busy):
                self.drop_snapshot(name, snapshot)
                swept.append('%s@%s' % (name, snapshot))
        for first, members in moments.items():
            if not any(each in snapshot for each in busy for snapshot in members):
                self.forget('moment:' + first)
        return swept

    def half_removed(self):
        """Ids and names of images whose removal was cut short: they are in no directory, and in a part of the trash that no list shows."""
        found, after = [], ''
        while True:
            with rados.ReadOpCtx() as op:
                entries, _ = self.io.get_omap_vals(op, after, 'id_', 1000)
                try:
                    self.io.operate_read_op(op, 'rbd_trash')
                except rados.ObjectNotFound:
                    return []
                entries = list(entries)
            for key, value in entries:
                # A version and a length come first, then where it is from, and its name.
                if value[6] == REMOVING:
                    found.append((key[3:], unpacked(value[7:])))
            if len(entries) < 1000:
                return found
            after = entries[-1][0]

    def left_snapshots(self):
        return [(image['name'], s['name']) for image in self.list()['images'] for s in image['snapshots'] if s['name'].startswith('.tmp-')]

    # The trash

    def collect(self, progress=None):
        """Removes what was deleted with snapshots or clones and has none any more. Returns the names that went."""
        gone = []
        for entry in list(self.rbd.trash_list(self.io)):
            if entry['source'] != 'USER':
                continue
            try:
                self.rbd.trash_remove(self.io, entry['id'], on_progress=progress)
                gone.append(entry['name'])
            except (rbd.ImageHasSnapshots, rbd.ImageBusy, rbd.PermissionError, rbd.ImageNotFound):
                pass
        return gone


def merged(ranges, size):
    """In order, those that touch as one, none beyond the end."""
    found = []
    for at, length in sorted(ranges):
        end = min(at + length, size)
        if end <= at:
            continue
        if found and at <= found[-1][0] + found[-1][1]:
            found[-1][1] = max(found[-1][0] + found[-1][1], end) - found[-1][0]
        else:
            found.append([at, end - at])
    return found
