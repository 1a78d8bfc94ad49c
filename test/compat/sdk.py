"""openstacksdk's block storage over everything that Pumice serves; the argument is where: http://HOST:PORT/v3

No Keystone: `admin_token` sends the token as it is, user:project. Ends well, or with the assertion that does not hold.
"""

import sys

import openstack
from openstack import exceptions
from refusal import refused

cloud = openstack.connection.Connection(
    auth_type="admin_token", auth={"endpoint": sys.argv[1], "token": "me:demo"}
)
storage = cloud.block_storage


def available(resource):
    """Asks afresh: the SDK does not when what it was last told is what is waited for."""
    fresh = resource.fetch(storage)
    return storage.wait_for_status(fresh, "available", failures=["error"], interval=0.05, wait=20)


def gone(resource):
    storage.wait_for_delete(resource, interval=0.05, wait=20)


def names(resources):
    return sorted(each.name for each in resources)


def volumes():
    first = available(storage.create_volume(name="first", size=1, description="of mine", metadata={"k": "v"}))
    assert first.user_id == "me" and first.project_id == "demo" and first.host.startswith("node@"), first
    assert storage.find_volume("first").id == first.id
    storage.extend_volume(first, 2)
    assert available(first).size == 2
    storage.set_volume_metadata(first, m="n")
    storage.delete_volume_metadata(first.fetch(storage), ["k"])
    storage.set_volume_bootable_status(first, True)
    storage.set_volume_readonly(first, True)
    first = storage.get_volume(first)
    assert first.metadata == {"m": "n", "readonly": "True"} and first.is_bootable, first
    storage.set_volume_readonly(first, False)
    storage.reset_volume_status(first, "error", "detached", "none")
    assert storage.get_volume(first).status == "error"
    storage.reset_volume_status(first, "available", None, None)

    snapshot = available(storage.create_snapshot(name="then", volume_id=first.id, metadata={"k": "v"}))
    assert snapshot.size == 2 and snapshot.progress == "100%", snapshot
    assert storage.find_snapshot("then").id == snapshot.id
    assert storage.update_snapshot(snapshot, description="changed").description == "changed"
    storage.set_snapshot_metadata(snapshot, m="n")
    storage.delete_snapshot_metadata(snapshot.fetch(storage), ["k"])
    assert storage.get_snapshot(snapshot).metadata == {"m": "n"}
    storage.reset_snapshot(snapshot, "error")
    assert [each.id for each in storage.snapshots(status="error", volume_id=first.id)] == [snapshot.id]
    storage.reset_snapshot(snapshot, "available")

    restored = storage.create_volume(name="restored", snapshot_id=snapshot.id)
    clone = storage.create_volume(name="clone", source_volume_id=first.id, size=3)
    assert available(clone).size == 3
    assert available(restored).snapshot_id == snapshot.id
    # Page after page: each is as long as `limit`.
    assert names(storage.volumes(limit=1)) == names(storage.volumes(details=False)) == ["clone", "first", "restored"]
    assert names(storage.volumes(name="clone", all_projects=True)) == ["clone"]

    refused(exceptions.BadRequestException, storage.delete_volume, first)
    storage.delete_snapshot(snapshot)
    gone(snapshot)
    storage.unmanage_volume(clone)
    gone(clone)
    for volume in [first, restored]:
        storage.delete_volume(volume, force=volume is first)
        gone(volume)


def types():
    gold = storage.create_type(name="gold", description="of mine", is_public=False)
    refused(exceptions.ConflictException, storage.create_type, name="gold")
    assert storage.update_type(gold, description="changed").description == "changed"
    storage.update_type_extra_specs(gold, volume_backend_name="large", k="v")
    storage.delete_type_extra_specs(gold, ["k"])
    assert storage.get_type(gold).extra_specs == {"volume_backend_name": "large"}
    assert storage.find_type(gold.id).name == "gold" and storage.find_type("__DEFAULT__").is_public
    storage.add_type_access(gold, "demo")
    assert [each["project_id"] for each in storage.get_type_access(gold)] == ["demo"]
    volume = available(storage.create_volume(name="one", size=1, volume_type="gold"))
    assert volume.host == "node@large#large" and volume.volume_type == "gold", volume
    refused(exceptions.BadRequestException, storage.delete_type, gold)
    storage.delete_volume(volume)
    gone(volume)
    storage.remove_type_access(gold, "demo")
    storage.delete_type(gold)
    assert names(storage.types()) == ["__DEFAULT__"]


def quotas():
    assert storage.get_quota_set_defaults("demo").volumes == 10
    quota = storage.get_quota_set("demo")
    assert storage.update_quota_set(quota, volumes=1, gigabytes=2).volumes == 1
    volume = available(storage.create_volume(name="only", size=1))
    refused(exceptions.HttpException, storage.create_volume, name="more", size=1)
    refused(exceptions.HttpException, storage.extend_volume, volume, 3)
    assert storage.get_quota_set("demo", usage=True).usage["volumes"] == 1
    limits = storage.get_limits().absolute
    assert limits.max_total_volumes == 1 and limits.total_volumes_used == 1, limits
    storage.revert_quota_set("demo")
    assert storage.get_quota_set("demo").volumes == 10
    storage.delete_volume(volume)
    gone(volume)


def surroundings():
    assert sorted(each.name for each in storage.backend_pools()) == ["node@fast#fast", "node@large#large"]
    assert [(each.name, each.state) for each in storage.availability_zones()] == [("nova", {"available": True})]
    assert "os-volume-manage" in [each.alias for each in storage.extensions()]
    filters = {each.resource: each.filters for each in storage.resource_filters()}
    assert "status" in filters["volume"], filters


def refusals():
    nobody = "9bd0b2e5-7e4c-4d8c-b3f9-0a1f6a7f4a52"
    refused(exceptions.ResourceNotFound, storage.get_volume, nobody)
    refused(exceptions.ResourceNotFound, storage.delete_volume, nobody, ignore_missing=False)
    refused(exceptions.ResourceNotFound, storage.create_volume, size=1, snapshot_id=nobody)
    refused(exceptions.ResourceNotFound, storage.create_volume, size=1, volume_type="nosuch")
    refused(exceptions.BadRequestException, storage.create_volume, size=0)
    refused(exceptions.BadRequestException, storage.create_volume, size=1, availability_zone="nowhere")
    assert storage.find_volume("nosuch") is None
    assert list(storage.volumes()) == []


volumes()
types()
quotas()
surroundings()
refusals()
