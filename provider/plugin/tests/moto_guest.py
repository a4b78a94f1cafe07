"""A server that moto's SSM can reach: its agent is online, and it answers the probe as a ready PostgreSQL server does.

All others have no agent. The guest's report is that of docs/design/guest-protocol.md.
"""

import json
import re

from moto.ssm.models import Command
from moto.ssm.responses import SimpleSystemManagerResponse

DATA = "/var/lib/postgresql/15/main"

# Instance to the volume on which its database lies.
SERVERS = {}


def serve(ec2, instance):
    """Lets a server run on an instance of one volume."""
    described = ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]
    SERVERS[instance] = described["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]


def probe_report(session, volume):
    return {
        "report": 1,
        "session": session,
        "phase": "probe",
        "outcome": "ready",
        "boot_id": "2f6d7c1e-7d0b-4c5e-9a53-0f7c6d6f2a11",
        "uptime_ms": 1000,
        "warnings": [],
        "problems": [],
        "hold_in_progress": None,
        "service_manager": "systemd",
        "servers": [
            {
                "engine": "postgresql",
                "version": "15.14",
                "role": "primary",
                "pid": 812,
                "os_user": "postgres",
                "port": 5432,
                "socket_directory": "/run/postgresql",
                "data_directory": DATA,
                "service": "postgresql@15-main.service",
                "paths": [{"path": DATA, "purpose": "data"}],
            }
        ],
        "mounts": [
            {
                "mount_point": "/",
                "source": "/dev/nvme0n1p1",
                "fstype": "ext4",
                "device": "259:1",
                "data": True,
                "paths": [DATA],
                "needed_by_guest": "the root file system",
                "freezable": True,
                "leaves": [{"device": "259:0", "name": "nvme0n1", "volume_id": volume}],
            }
        ],
    }


def describe_instance_information(self):
    asked = [value for it in self._get_param("Filters", []) for value in it["Values"]]
    online = [{"InstanceId": it, "PingStatus": "Online"} for it in SERVERS if it in asked]
    return json.dumps({"InstanceInformationList": online})


def install():
    SimpleSystemManagerResponse.describe_instance_information = describe_instance_information
    described = Command.get_invocation

    def get_invocation(self, instance_id, plugin_name):
        invocation = described(self, instance_id, plugin_name)
        session = re.search("CDB_SESSION='([0-9a-f]+)'", self.parameters["commands"][0])
        report = probe_report(session.group(1), SERVERS[instance_id])
        return {**invocation, "StandardOutputContent": json.dumps(report)}

    Command.get_invocation = get_invocation
