"""Snapshots of several images that are one moment, also of images that clients write to meanwhile.

librbd has snapshots of groups for that, of which no volume can be made, and no call that makes writers wait while something else is done. What it
has: who writes needs the exclusive lock of the image, which its owner gives to whoever asks for it, but not while a snapshot that he takes is under
way; and a snapshot waits for the answers of all who watch the image twice, before it is taken (quiesce) and when it was (unquiesce). So this client
takes the locks, takes a snapshot of each image, and is itself the one that does not answer:

  1. It takes all locks, then begins all snapshots. Each says "quiesce", and has no answer. Where somebody had his lock back before, he takes that
     snapshot at once: it is thrown away, and begun again.
  2. All have come so far, so nobody writes to any of the images. They are answered; each is taken, says "unquiesce", and has no answer.
  3. All have been taken, and this client has all locks still. It had each of them from before its snapshot on: that is the moment.

librbd goes on without an answer after 5 s, and a client that is cut off loses its locks. Then 3 finds a lock missing, and nothing was a moment; no
clock is asked. A lock that was lost cannot have come back: nothing is done with an image that would take it again.
"""
import struct, sys, threading, time
import rbd

QUIESCE, UNQUIESCE = 18, 19  # WatchNotifyTypes.h
PATIENCE = 4.0  # seconds for 1 and for 2, in which writers wait
TRIES = 5


class Unanswered(Exception):
    """Who watches an object answers when his callback returns; not when it raises."""


def quietly(others):
    return lambda kind, *more: None if kind is Unanswered else others(kind, *more)


# librados prints what a callback raises.
sys.excepthook = quietly(sys.excepthook)


class Answers:
    """Of one kind, to what is said about one image: withheld from this client until they are given."""

    def __init__(self, io, image, kind, heard):
        self.kind, self.heard = kind, heard
        self.watch = io.watch('rbd_header.' + image, self.told)

    def told(self, _notification, who, _watch, data):
        # A version of two bytes and a length come first.
        if data and len(data) >= 10 and struct.unpack('<I', data[6:10])[0] == self.kind and self.heard(who):
            raise Unanswered
        return ''

    def give(self):
        """Nobody waits for one who does not watch any more."""
        self.watch.close()


class Member:
    def __init__(self, moment, image, snapshot):
        self.moment, self.snapshot, self.error = moment, snapshot, None
        self.waits = self.is_taken = False  # with the lock, before its snapshot; after it
        self.image = rbd.Image(moment.io, image_id=image)
        self.quiesce = Answers(moment.io, image, QUIESCE, self.begins)
        self.unquiesce = Answers(moment.io, image, UNQUIESCE, self.ends)

    def begins(self, who):
        return self.comes('waits', who)

    def ends(self, who):
        return self.comes('is_taken', who)

    def comes(self, so_far, who):
        if who != self.moment.ours:
            return False
        with self.moment.changed:
            setattr(self, so_far, True)
            self.moment.changed.notify_all()
        return True

    def work(self):
        try:
            while not self.moment.is_over:
                self.image.flush()  # takes the lock
                self.image.create_snap(self.snapshot)
                if self.waits:
                    return
                self.image.remove_snap(self.snapshot)
        except Exception as error:
            self.error = error
            with self.moment.changed:
                self.moment.changed.notify_all()


class Moment:
    """One try. `members`: id of the image and name of the snapshot of each."""

    def __init__(self, cluster, io, members):
        self.io, self.ours, self.is_over = io, cluster.get_instance_id(), False
        self.changed = threading.Condition()
        self.members = []
        try:
            for image, snapshot in members:
                self.members.append(Member(self, image, snapshot))
        except Exception:
            self.close()
            raise

    def take(self):
        """False: it was none, and what is there by now is of none."""
        each(self.members, lambda member: member.image.flush())
        threads = [threading.Thread(target=member.work, daemon=True) for member in self.members]
        for thread in threads:
            thread.start()
        kept = False
        try:
            if self.all_come('waits'):
                self.give('quiesce')
                kept = self.all_come('is_taken') and all(member.image.is_exclusive_lock_owner() for member in self.members)
        finally:
            self.is_over = True
            try:
                self.give('quiesce')
                self.give('unquiesce')
            finally:
                for thread in threads:
                    thread.join()
        for member in self.members:
            if member.error:
                raise member.error
        return kept

    def all_come(self, so_far):
        with self.changed:
            self.changed.wait_for(lambda: any(m.error for m in self.members) or all(getattr(m, so_far) for m in self.members), PATIENCE)
            return all(getattr(member, so_far) for member in self.members)

    def give(self, answers):
        each(self.members, lambda member: getattr(member, answers).give())

    def close(self):
        for member in self.members:
            member.quiesce.give()
            member.unquiesce.give()
            member.image.close()


def each(members, do):
    """For all at once; the first error is raised when all have ended."""
    errors = []

    def work(member):
        try:
            do(member)
        except Exception as error:
            errors.append(error)
    threads = [threading.Thread(target=work, args=(member,), daemon=True) for member in members]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def take(cluster, io, members, drop):
    """Whether it could be done. `drop` takes away what a try has left that was none."""
    for _ in range(TRIES):
        moment = Moment(cluster, io, members)
        try:
            if moment.take():
                return True
        finally:
            moment.close()
        drop()
    return False
