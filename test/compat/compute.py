"""What Nova's and Ironic's volume code asks of python-cinderclient; the argument is where: http://HOST:PORT/v3

As they do it: one client a microversion, a service token beside the user's, attachments for servers, actions for bare metal.
Ends well, or with the assertion that does not hold.
"""

import sys
import time
import uuid

from cinderclient import client as cinder_client
from cinderclient import exceptions
from keystoneauth1 import session
from keystoneauth1.identity import base
from refusal import refused


class Token(base.BaseIdentityPlugin):
    """As an admin token, with that of the service that asks in the user's name."""

    def __init__(self, headers):
        super().__init__()
        self.headers = headers

    def get_auth_ref(self, *args, **kwargs):
        raise NotImplementedError

    def get_headers(self, *args, **kwargs):
        return self.headers

    def get_endpoint(self, *args, **kwargs):
        return ENDPOINT


ENDPOINT = sys.argv[1]
USER = {"X-Auth-Token": "me:demo"}
SERVICE = {**USER, "X-Service-Token": "nova:service"}
HERE = sys.argv[2]


def client(version, headers=SERVICE):
    return cinder_client.Client(version, session=session.Session(auth=Token(headers)))


def until(volume_id, status):
    deadline = time.monotonic() + 20
    while True:
        volume = client("3.48").volumes.get(volume_id)
        if volume.status == status:
            return volume
        assert volume.status != "error" and time.monotonic() < deadline, volume.to_dict()
        time.sleep(0.05)


def connector(host=HERE):
    return {"host": host, "ip": "127.0.0.1", "initiator": "iqn.2026-11.test:compute", "multipath": False}


def new_volume():
    return until(client("3.48").volumes.create(1).id, "available")


def nova_boots_and_deletes_a_server():
    volume, server = new_volume(), str(uuid.uuid4())
    api = client("3.44")
    reserved = api.attachments.create(volume.id, None, server)
    assert until(volume.id, "reserved").attachments == []
    updated = api.attachments.update(reserved["id"], {**connector(), "mountpoint": "/dev/vdb"})
    connection = updated.connection_info
    assert connection["attachment_id"] == reserved["id"] and connection["driver_volume_type"] == "local", connection
    until(volume.id, "attaching")
    api.attachments.complete(reserved["id"])
    used = until(volume.id, "in-use")
    assert used.attachments[0]["server_id"] == server and used.attachments[0]["device"] == "/dev/vdb", used.attachments
    assert api.attachments.show(reserved["id"]).status == "attached"
    assert [each.id for each in api.attachments.list(search_opts={"instance_id": server})] == [reserved["id"]]
    # CVE-2023-2088: only the compute service takes a disk from a server.
    refused(exceptions.ClientException, client("3.44", USER).attachments.delete, reserved["id"])
    api.attachments.delete(reserved["id"])
    until(volume.id, "available")


def nova_moves_a_server():
    volume, server = new_volume(), str(uuid.uuid4())
    api = client("3.48")
    there = api.attachments.create(volume.id, connector(), server)
    api.attachments.complete(there["id"])
    until(volume.id, "in-use")
    assert api.volumes.get(volume.id).shared_targets in (True, False)
    # The machine it goes to has its own attachment before the first lets go.
    goes_to = api.attachments.create(volume.id, connector(), server)
    api.attachments.complete(goes_to["id"])
    api.attachments.delete(there["id"])
    assert [each["attachment_id"] for each in until(volume.id, "in-use").attachments] == [goes_to["id"]]
    api.attachments.delete(goes_to["id"])
    until(volume.id, "available")


def nova_turns_back():
    volume, server = new_volume(), str(uuid.uuid4())
    api = client("3.44")
    reserved = api.attachments.create(volume.id, None, server)
    refused(exceptions.ClientException, api.attachments.create, volume.id, None, str(uuid.uuid4()))
    api.attachments.delete(reserved["id"])
    until(volume.id, "available")
    refused(exceptions.NotFound, api.attachments.delete, reserved["id"])
    refused(exceptions.NotFound, api.volumes.get, str(uuid.uuid4()))


def nova_attaches_as_it_did():
    volume, server = new_volume(), str(uuid.uuid4())
    api = client("3.0")
    api.volumes.reserve(volume.id)
    until(volume.id, "attaching")
    api.volumes.unreserve(volume.id)
    until(volume.id, "available")
    api.volumes.reserve(volume.id)
    assert api.volumes.initialize_connection(volume.id, connector())["driver_volume_type"] == "local"
    api.volumes.attach(volume.id, server, "/dev/vdc", mode="rw")
    used = until(volume.id, "in-use")
    api.volumes.begin_detaching(volume.id)
    until(volume.id, "detaching")
    api.volumes.roll_detaching(volume.id)
    until(volume.id, "in-use")
    api.volumes.begin_detaching(volume.id)
    api.volumes.terminate_connection(volume.id, connector())
    api.volumes.detach(volume.id, used.attachments[0]["attachment_id"])
    until(volume.id, "available")


def nova_takes_a_snapshot_of_what_runs():
    volume, server = new_volume(), str(uuid.uuid4())
    api = client("3.44")
    attachment = api.attachments.create(volume.id, connector(), server)
    api.attachments.complete(attachment["id"])
    snapshot = api.volume_snapshots.create(volume.id, force=True, name="live", description="of a server")
    deadline = time.monotonic() + 20
    while api.volume_snapshots.get(snapshot.id).status != "available":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    api.volume_snapshots.delete(snapshot.id)
    api.attachments.delete(attachment["id"])
    assert api.volumes.get_encryption_metadata(volume.id).get("encryption_key_id") is None
    limits = {each.name: each.value for each in api.limits.get().absolute}
    assert limits["totalVolumesUsed"] >= 1 and "maxTotalVolumes" in limits, limits
    assert api.volume_types.find(name="__DEFAULT__").id


def ironic_boots_bare_metal():
    volume, node = new_volume(), str(uuid.uuid4())
    api = client("3.0")
    assert volume.attachments == []
    api.volumes.reserve(volume.id)
    assert api.volumes.initialize_connection(volume.id, connector())["data"]
    api.volumes.attach(volume.id, node, "ironic_mountpoint")
    api.volumes.set_metadata(volume.id, {"bootable": "True", "node": node})
    used = until(volume.id, "in-use")
    assert used.attachments[0]["device"] == "ironic_mountpoint" and used.metadata["node"] == node, used.to_dict()
    api.volumes.begin_detaching(volume.id)
    api.volumes.terminate_connection(volume.id, connector())
    api.volumes.detach(volume.id, used.attachments[0]["attachment_id"])
    api.volumes.delete_metadata(volume.id, ["bootable", "node"])
    assert until(volume.id, "available").metadata == {}


for each in (
    nova_boots_and_deletes_a_server,
    nova_moves_a_server,
    nova_turns_back,
    nova_attaches_as_it_did,
    nova_takes_a_snapshot_of_what_runs,
    ironic_boots_bare_metal,
):
    each()
