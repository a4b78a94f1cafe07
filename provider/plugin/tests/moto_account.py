"""A moto server with instances and images in it, for tests/terraform.rs and its like.

Prints where they are as one line of JSON and ends with its standard input: `windows` and `linux` are instances, `taken` is
an image of the Windows one by that name, `plain` one of the other, `proven` and
`prefixed` bear the tags of a proof, and the latter a name that a prefix gave; `silent`
does as well, but does not tell how it was configured, and `digested` tells a digest of its triggers. `served` is an instance with an agent and a database (`moto_guest.py`);
no other has one. What `moto_upkeep.py` adds is said there.
"""

import hashlib
import json
import sys

import boto3
import moto_guest
import moto_upkeep
from moto.server import ThreadedMotoServer

REGION = "eu-central-1"


PROOF = {
    "consistent:session": "0123456789abcdef0123456789abcdef",
    "consistent:state": "proven",
    "consistent:expires": "never",
    "consistent:image-name": "orders-1",
    "consistent:engine": "postgresql",
    "consistent:engine-version": "15.14",
    "consistent:method": "freeze",
    "consistent:recovery-point": "0/1A2B3C",
    "consistent:hold-ms": "877",
    "consistent:configuration": json.dumps(
        {
            "quiesce": {"max_hold_seconds": 30},
            "timeouts": {"create": "90m"},
            "triggers": {"release": "2026.11"},
        }
    ),
}


def launch(ec2, platform):
    images = ec2.describe_images(Owners=["amazon"])["Images"]
    fitting = next(it["ImageId"] for it in images if it.get("Platform") == platform)
    launched = ec2.run_instances(ImageId=fitting, MinCount=1, MaxCount=1)
    return launched["Instances"][0]["InstanceId"]


def image(ec2, instance, name, description=""):
    made = ec2.create_image(InstanceId=instance, Name=name, Description=description, NoReboot=True)
    return made["ImageId"]


def tag(ec2, resource, tags):
    ec2.create_tags(Resources=[resource], Tags=[{"Key": k, "Value": v} for k, v in tags.items()])


def digest(triggers, instance, name):
    """What an image tells of its triggers."""
    text = json.dumps(triggers, separators=(",", ":"), sort_keys=True)
    return hashlib.pbkdf2_hmac("sha256", text.encode(), f"{instance}/{name}".encode(), 600_000).hex()


def main():
    moto_upkeep.install()
    moto_guest.install()
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    ec2 = boto3.client(
        "ec2", region_name=REGION, endpoint_url=url, aws_access_key_id="AKIDMOTO", aws_secret_access_key="secret"
    )
    windows, linux = (launch(ec2, platform) for platform in ("windows", None))
    served = launch(ec2, None)
    moto_guest.serve(ec2, served)
    told = {"url": url, "region": REGION, "windows": windows, "linux": linux, "served": served}
    told["taken"] = image(ec2, windows, "taken")
    told["plain"] = image(ec2, linux, "plain")
    told["proven"] = image(ec2, linux, "orders-1", "Of the orders")
    told["prefixed"] = image(ec2, linux, "orders-20261122160000123400000001")
    tags = {**PROOF, "consistent:source-instance": linux, "Name": "orders", "Team": "dba"}
    tag(ec2, told["proven"], tags)
    told["silent"] = image(ec2, linux, "orders-silent")
    tag(ec2, told["silent"], {k: v for k, v in tags.items() if k != "consistent:configuration"})
    told["digested"] = image(ec2, linux, "orders-digested", "Of the orders")
    configuration = json.loads(PROOF["consistent:configuration"])
    configuration["consistent:digest"] = digest(configuration.pop("triggers"), linux, "orders-digested")
    tag(ec2, told["digested"], {**tags, "consistent:configuration": json.dumps(configuration)})
    tag(ec2, told["prefixed"], {**tags, "consistent:configuration": '{"name_prefix":"orders-"}'})
    print(json.dumps(told), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
