"""Calls every action of the lab with boto3, strictly, and checks that the answers fit each other."""

import sys
import time

import boto3
from botocore.exceptions import ClientError

import strict

strict.install()
ec2, ssm, sts = (boto3.client(name) for name in ("ec2", "ssm", "sts"))


def refused(code, call, **arguments):
    """The call must fail with this code."""
    try:
        call(**arguments)
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, error
        return
    raise AssertionError(f"{call.__name__} was not refused")


def wait(name, **arguments):
    ec2.get_waiter(name).wait(WaiterConfig={"Delay": 1, "MaxAttempts": 20}, **arguments)


def tag_specification(kind, **tags):
    return {"ResourceType": kind, "Tags": [{"Key": k, "Value": v} for k, v in tags.items()]}


def account():
    identity = sts.get_caller_identity()
    assert identity["Account"] == "111122223333", identity
    role = sts.assume_role(
        RoleArn="arn:aws:iam::111122223333:role/image-maker", RoleSessionName="check"
    )
    key = role["Credentials"]
    assumed = boto3.client(
        "sts",
        aws_access_key_id=key["AccessKeyId"],
        aws_secret_access_key=key["SecretAccessKey"],
        aws_session_token=key["SessionToken"],
    )
    assert assumed.get_caller_identity()["Arn"].endswith("assumed-role/image-maker/check")
    region = ec2.describe_regions()["Regions"][0]["RegionName"]
    zone = ec2.describe_availability_zones()["AvailabilityZones"][0]["ZoneName"]
    assert zone == region + "a"
    ec2.describe_account_attributes(AttributeNames=["default-vpc"])
    assert ec2.describe_instance_types()["InstanceTypes"][0]["BareMetal"] is False
    vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    assert ec2.describe_subnets()["Subnets"][0]["VpcId"] == vpc
    assert ec2.describe_security_groups()["SecurityGroups"][0]["VpcId"] == vpc


def images(source):
    made = ec2.create_image(
        InstanceId=source,
        Name="plain",
        NoReboot=True,
        TagSpecifications=[tag_specification("image", team="db"), tag_specification("snapshot", team="db")],
    )["ImageId"]
    refused("InvalidAMIName.Duplicate", ec2.create_image, InstanceId=source, Name="plain")
    refused("InvalidAMIName.Malformed", ec2.create_image, InstanceId=source, Name="what?")
    refused("DryRunOperation", ec2.create_image, InstanceId=source, Name="dry", DryRun=True)
    wait("image_available", ImageIds=[made])
    image = ec2.describe_images(Owners=["self"], Filters=[{"Name": "name", "Values": ["pla*"]}])["Images"][0]
    assert image["ImageId"] == made and image["SourceInstanceId"] == source
    backing = {m["DeviceName"]: m["Ebs"]["SnapshotId"] for m in image["BlockDeviceMappings"]}
    assert set(backing) == {"/dev/xvda", "/dev/sdf"}
    tagged = ec2.describe_snapshots(OwnerIds=["self"], Filters=[{"Name": "tag:team", "Values": ["db"]}])
    assert {s["SnapshotId"] for s in tagged["Snapshots"]} == set(backing.values())
    assert {s["State"] for s in tagged["Snapshots"]} == {"completed"}
    ec2.modify_image_attribute(
        ImageId=made, LaunchPermission={"Add": [{"UserId": "444455556666"}]}, Description={"Value": "shared"}
    )
    shared = ec2.describe_image_attribute(ImageId=made, Attribute="launchPermission")
    assert shared["LaunchPermissions"] == [{"UserId": "444455556666"}]
    refused("InvalidSnapshot.InUse", ec2.delete_snapshot, SnapshotId=backing["/dev/sdf"])
    upkeep(made)
    ec2.deregister_image(ImageId=made)
    refused("InvalidAMIID.NotFound", ec2.describe_images, ImageIds=[made])
    for snapshot in backing.values():
        ec2.delete_snapshot(SnapshotId=snapshot)
    refused("InvalidSnapshot.NotFound", ec2.delete_snapshot, SnapshotId=backing["/dev/sdf"])


def upkeep(image):
    def shown(field):
        return ec2.describe_images(ImageIds=[image])["Images"][0].get(field)

    refused("InvalidParameterValue", ec2.enable_image_deprecation, ImageId=image, DeprecateAt="2020-01-01T00:00:00Z")
    refused("InvalidAMIID.NotFound", ec2.disable_image_deprecation, ImageId="ami-00000000000000000")
    ec2.enable_image_deprecation(ImageId=image, DeprecateAt="2035-01-01T00:00:31Z")
    assert shown("DeprecationTime") == "2035-01-01T00:01:00.000Z"
    ec2.disable_image_deprecation(ImageId=image)
    assert shown("DeprecationTime") is None
    assert shown("DeregistrationProtection") == "disabled"
    assert ec2.enable_image_deregistration_protection(ImageId=image)["Return"] == "true"
    assert shown("DeregistrationProtection") == "enabled-without-cooldown"
    refused("OperationNotPermitted", ec2.deregister_image, ImageId=image)
    ec2.disable_image_deregistration_protection(ImageId=image)
    cooling(image)


def cooling(image):
    """Of an image that is deregistered afterwards, so not of this one: one that cools down stays."""
    source = ec2.describe_images(ImageIds=[image])["Images"][0]["SourceInstanceId"]
    made = ec2.create_image(InstanceId=source, Name="cooling", NoReboot=True)["ImageId"]
    wait("image_available", ImageIds=[made])
    ec2.enable_image_deregistration_protection(ImageId=made, WithCooldown=True)
    assert ec2.describe_images(ImageIds=[made])["Images"][0]["DeregistrationProtection"] == "enabled-with-cooldown"
    ec2.disable_image_deregistration_protection(ImageId=made)
    refused("OperationNotPermitted", ec2.deregister_image, ImageId=made)


def snapshots(source):
    at_once = ec2.create_snapshots(
        InstanceSpecification={"InstanceId": source},
        Description="one cut",
        TagSpecifications=[tag_specification("snapshot", cut="1")],
    )["Snapshots"]
    assert len(at_once) == 2 and len({s["StartTime"] for s in at_once}) == 1
    root = ec2.describe_instances(InstanceIds=[source])["Reservations"][0]["Instances"][0]["RootDeviceName"]
    volumes = ec2.describe_volumes(Filters=[{"Name": "attachment.instance-id", "Values": [source]}])["Volumes"]
    devices = {v["VolumeId"]: v["Attachments"][0]["Device"] for v in volumes}
    single = ec2.create_snapshot(VolumeId=volumes[0]["VolumeId"], Description="one")["SnapshotId"]
    ids = [s["SnapshotId"] for s in at_once] + [single]
    wait("snapshot_completed", SnapshotIds=ids)
    pages = ec2.get_paginator("describe_snapshots").paginate(PaginationConfig={"PageSize": 1})
    seen = [s["SnapshotId"] for page in pages for s in page["Snapshots"]]
    assert set(ids) <= set(seen) and len(seen) == len(set(seen))
    registered = ec2.register_image(
        Name="registered",
        RootDeviceName=root,
        Architecture="x86_64",
        VirtualizationType="hvm",
        EnaSupport=True,
        BlockDeviceMappings=[
            {"DeviceName": devices[s["VolumeId"]], "Ebs": {"SnapshotId": s["SnapshotId"]}} for s in at_once
        ],
    )["ImageId"]
    results = ec2.deregister_image(ImageId=registered, DeleteAssociatedSnapshots=True)["DeleteSnapshotResults"]
    assert {r["ReturnCode"] for r in results} == {"success"}, results
    ec2.delete_snapshot(SnapshotId=single)


def tags(source):
    ec2.create_tags(Resources=[source], Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
    ec2.delete_tags(Resources=[source], Tags=[{"Key": "a"}, {"Key": "b", "Value": "other"}])
    kept = ec2.describe_tags(Filters=[{"Name": "resource-id", "Values": [source]}])["Tags"]
    assert {t["Key"] for t in kept} == {"Name", "b"}, kept
    refused("InvalidAMIID.NotFound", ec2.create_tags, Resources=["ami-00000000000000000"], Tags=[{"Key": "a"}])


def instances(source):
    image = ec2.describe_instances(InstanceIds=[source])["Reservations"][0]["Instances"][0]["ImageId"]
    launch = dict(ImageId=image, InstanceType="m7i.large", MinCount=1, MaxCount=1, ClientToken="once")
    made = ec2.run_instances(**launch)["Instances"][0]["InstanceId"]
    assert ec2.run_instances(**launch)["Instances"][0]["InstanceId"] == made, "idempotent by its token"
    wait("instance_running", InstanceIds=[made])
    wait("instance_status_ok", InstanceIds=[made])
    ec2.modify_instance_attribute(InstanceId=made, DisableApiTermination={"Value": True})
    attribute = ec2.describe_instance_attribute(InstanceId=made, Attribute="disableApiTermination")
    assert attribute["DisableApiTermination"]["Value"] is True
    refused("OperationNotPermitted", ec2.terminate_instances, InstanceIds=[made])
    ec2.modify_instance_attribute(InstanceId=made, DisableApiTermination={"Value": False})
    ec2.describe_instance_credit_specifications(InstanceIds=[made])
    ec2.get_instance_uefi_data(InstanceId=made)
    ec2.reboot_instances(InstanceIds=[made])
    ec2.stop_instances(InstanceIds=[made])
    wait("instance_stopped", InstanceIds=[made])
    ec2.start_instances(InstanceIds=[made])
    wait("instance_running", InstanceIds=[made])
    ec2.terminate_instances(InstanceIds=[made])
    wait("instance_terminated", InstanceIds=[made])
    left = ec2.describe_volumes(Filters=[{"Name": "attachment.instance-id", "Values": [made]}])["Volumes"]
    assert left == [], left
    refused("InvalidInstanceID.NotFound", ec2.describe_instances, InstanceIds=["i-00000000000000000"])


def commands(source):
    agents = ssm.describe_instance_information(Filters=[{"Key": "InstanceIds", "Values": [source]}])
    assert agents["InstanceInformationList"][0]["PingStatus"] == "Online"
    sent = ssm.send_command(
        InstanceIds=[source],
        DocumentName="AWS-RunShellScript",
        Comment="check",
        Parameters={"commands": ["echo out", "echo err >&2", "exit 3"], "executionTimeout": ["30"]},
    )["Command"]["CommandId"]
    refused("InvocationDoesNotExist", ssm.get_command_invocation, CommandId=sent, InstanceId=source)
    answer = finished(sent, source)
    assert answer["Status"] == "Failed" and answer["ResponseCode"] == 3, answer
    assert answer["StandardOutputContent"] == "out\n", answer
    assert answer["StandardErrorContent"].startswith("err\n"), answer
    listed = ssm.list_command_invocations(CommandId=sent, Details=True)["CommandInvocations"][0]
    assert "out" in listed["CommandPlugins"][0]["Output"], listed
    assert ssm.list_commands(CommandId=sent)["Commands"][0]["Comment"] == "check"
    stopped = ssm.send_command(
        InstanceIds=[source], DocumentName="AWS-RunShellScript", Parameters={"commands": ["sleep 60"]}
    )["Command"]["CommandId"]
    time.sleep(0.5)
    ssm.cancel_command(CommandId=stopped)
    assert finished(stopped, source)["Status"] == "Cancelled"
    refused("InvalidInstanceId", ssm.send_command, InstanceIds=["i-00000000000000000"],
            DocumentName="AWS-RunShellScript", Parameters={"commands": ["true"]})


def documents(_source):
    name = "freeze"
    made = ssm.create_document(
        Name=name, DocumentType="Command", DocumentFormat="YAML", Content="schemaVersion: '2.2'"
    )["DocumentDescription"]
    assert made["DocumentVersion"] == "1" and made["HashType"] == "Sha256", made
    refused("DocumentAlreadyExists", ssm.create_document, Name=name, Content="{}")
    newer = ssm.update_document(Name=name, Content='{"schemaVersion":"2.2"}', DocumentVersion="$LATEST")
    assert newer["DocumentDescription"]["DocumentVersion"] == "2", newer
    first = ssm.describe_document(Name=name)["Document"]
    assert (first["DocumentVersion"], first["Hash"], first["LatestVersion"]) == ("1", made["Hash"], "2"), first
    text = ssm.get_document(Name=name, DocumentVersion="1", DocumentFormat="YAML")
    assert text["Content"] == "schemaVersion: '2.2'", text
    ssm.update_document_default_version(Name=name, DocumentVersion="2")
    second = ssm.describe_document(Name=name, DocumentVersion="$DEFAULT")["Document"]
    assert second["DocumentFormat"] == "JSON" and second["Hash"] != made["Hash"], second
    refused("InvalidDocumentVersion", ssm.get_document, Name=name, DocumentVersion="3")
    ssm.delete_document(Name=name)
    refused("InvalidDocument", ssm.describe_document, Name=name)


def finished(command, instance):
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        time.sleep(0.2)
        answer = ssm.get_command_invocation(CommandId=command, InstanceId=instance)
        if answer["Status"] not in ("Pending", "InProgress", "Cancelling"):
            return answer
    raise AssertionError(f"{command} does not end: {answer}")


source = sys.argv[1]
account()
for part in (images, snapshots, tags, instances, commands, documents):
    part(source)
assert strict.checked > 50, strict.checked
assert not strict.problems, "\n".join(sorted(set(strict.problems)))
