#!/usr/bin/python3
"""The bytes of images as a client of the cluster reads and writes them, and what lies in a pool: lines of JSON in and out.

  pool-bytes.py CONF USER
"""
import base64, json, sys
import rados, rbd

cluster = rados.Rados(conffile=sys.argv[1], rados_id=sys.argv[2])
cluster.connect()
pools = {}
R = rbd.RBD()


def pool_of(name):
    if name not in pools:
        pools[name] = cluster.open_ioctx(name)
    return pools[name]


def opened(io, name, snapshot=None, read_only=False):
    """Also of an image in the trash, for whoever wants a snapshot of it."""
    try:
        return rbd.Image(io, name, snapshot=snapshot, read_only=read_only)
    except rbd.ImageNotFound:
        if snapshot is None:
            raise
        for entry in R.trash_list(io):
            if entry['name'] == name:
                return rbd.Image(io, image_id=entry['id'], snapshot=snapshot, read_only=read_only)
        raise


def read(io, name, snapshot, at, length):
    with opened(io, name, snapshot, read_only=True) as i:
        return base64.b64encode(i.read(at, max(0, min(length, i.size() - at)))).decode()


def write(io, name, at, data):
    with rbd.Image(io, name) as i:
        i.write(base64.b64decode(data), at)
        i.flush()


def create(io, name, bytes):
    if name not in R.list(io):
        R.create(io, name, bytes)


def snapshot(io, name, snapshot):
    with rbd.Image(io, name) as i:
        i.create_snap(snapshot)


def protect(io, name, snapshot):
    with rbd.Image(io, name) as i:
        i.protect_snap(snapshot)


def unheaded(io, name):
    """As a create or a removal that was cut short leaves it."""
    io.remove_object('rbd_header.' + next(entry['id'] for entry in R.list2(io) if entry['name'] == name))


def parent(io, name):
    with rbd.Image(io, name, read_only=True) as i:
        try:
            return i.parent_info()[1]
        except rbd.ImageNotFound:
            return None


def fill(io, name):
    with rbd.Image(io, name) as i:
        for at in range(64):
            i.write(b'x' * 4096, at << 22)


def trashed(io):
    return [entry['name'] for entry in R.trash_list(io)]


def exported(io, name, path, snapshot=None):
    with rbd.Image(io, name, snapshot=snapshot, read_only=True) as i, open(path, 'wb') as out:
        out.truncate(i.size())

        def copy(at, length, exists):
            out.seek(at)
            out.write(i.read(at, length))
        i.diff_iterate(0, i.size(), None, copy)


def objects(io):
    return sorted(o.key for o in io.list_objects() if is_there(io, o.key))


def leftovers(io):
    """Names of what is half made: temporaries, and objects of images that no directory knows."""
    entries = list(R.list2(io))
    found = [entry['name'] for entry in entries if entry['name'].startswith('.')]
    for entry in entries:
        try:
            with rbd.Image(io, entry['name'], read_only=True) as i:
                found += ['%s@%s' % (entry['name'], s['name']) for s in i.list_snaps() if s['namespace'] == 0 and s['name'].startswith('.')]
        except rbd.ImageNotFound:
            found.append(entry['name'] + ' does not open')
    ids = {entry['id'] for entry in entries} | {entry['id'] for entry in R.trash_list(io)}
    names = {entry['name'] for entry in entries}
    for key in objects(io):
        kind, _, rest = key.partition('.')
        if kind == 'rbd_id' and rest not in names:
            found.append(key)
        if kind in ('rbd_header', 'rbd_object_map', 'rbd_data') and rest.split('.')[0] not in ids:
            found.append(key)
    by_id = {entry['id']: entry['name'] for entry in entries}
    with rados.ReadOpCtx() as op:
        pending, _ = io.get_omap_vals(op, '', 'pending:', 1000)
        try:
            io.operate_read_op(op, 'pumice')
            found += ['%s@.tmp-undo' % by_id.get(key[8:]) for key, _ in pending]
        except rados.ObjectNotFound:
            pass
    return sorted(set(found))


def noted(io, prefix=''):
    with rados.ReadOpCtx() as op:
        found, _ = io.get_omap_vals(op, '', prefix, 10000)
        try:
            io.operate_read_op(op, 'pumice')
        except rados.ObjectNotFound:
            return []
        return [key for key, _ in found]


def everything(io):
    images = []
    for name in R.list(io):
        try:
            with rbd.Image(io, name, read_only=True) as i:
                images.append({'name': name, 'bytes': i.size(), 'snapshots': [{'name': s['name'], 'bytes': s['size']} for s in i.list_snaps() if s['namespace'] == 0]})
        except rbd.ImageNotFound:
            images.append({'name': name, 'bytes': -1, 'snapshots': []})
    return {'images': images, 'notes': noted(io)}


def has_children(image):
    for s in list(image.list_snaps()):
        image.set_snap_by_id(s['id'])
        if list(image.list_children2()):
            return True
    return False


def left(io):
    """Of `leftovers`, and of the trash what nothing is a clone of."""
    found = leftovers(io)
    for entry in R.trash_list(io):
        try:
            with rbd.Image(io, image_id=entry['id'], read_only=True) as i:
                if not has_children(i):
                    found.append('%s in the trash' % entry['name'])
        except rbd.ImageNotFound:
            pass
    return found


def half_remove(io, name):
    """As a removal leaves it that was cut short behind its first steps."""
    image = next(entry['id'] for entry in R.list2(io) if entry['name'] == name)
    R.trash_move(io, name, 0)
    with rados.ReadOpCtx() as op:
        found, _ = io.get_omap_vals_by_keys(op, ('id_' + image,))
        io.operate_read_op(op, 'rbd_trash')
        value = bytearray(list(found)[0][1])
    value[6] = 3
    with rados.WriteOpCtx() as op:
        io.set_omap(op, ('id_' + image,), (bytes(value),))
        io.operate_write_op(op, 'rbd_trash')


def without_snapshots(image):
    for s in list(image.list_snaps()):
        try:
            if s['namespace'] == 2:
                image.remove_snap_by_id(s['id'])
            else:
                if image.is_protected_snap(s['name']):
                    image.unprotect_snap(s['name'])
                image.remove_snap(s['name'])
        except (rbd.ImageBusy, rbd.ImageNotFound):
            pass


def wipe(io):
    """Clones go before what they are of; objects of snapshots would be listed for as long as those are there."""
    for _ in range(8):
        entries = [(entry['id'], False) for entry in R.list2(io)] + [(entry['id'], True) for entry in R.trash_list(io)]
        for image, in_trash in entries:
            try:
                with rbd.Image(io, image_id=image) as i:
                    without_snapshots(i)
                    name = i.get_name()
                R.trash_remove(io, image, True) if in_trash else R.remove(io, name)
            except rbd.Error:
                pass
        if not entries:
            break
    for o in list(io.list_objects()):
        try:
            io.remove_object(o.key)
        except rados.ObjectNotFound:
            pass


def is_there(io, key):
    """What a snapshot had is listed for a while after it."""
    try:
        io.stat(key)
        return True
    except rados.ObjectNotFound:
        return False


OPERATIONS = {f.__name__: f for f in (read, write, create, snapshot, protect, unheaded, trashed, parent, fill, exported, objects, leftovers, noted, everything, left, half_remove, wipe)}
for line in sys.stdin:
    number, pool, op, args = json.loads(line)
    try:
        answer = [number, OPERATIONS[op](pool_of(pool), *args), None]
    except Exception as error:
        answer = [number, None, '%s of %s%s: %s %s' % (op, pool, args[:2], type(error).__name__, error)]
    print(json.dumps(answer), flush=True)
