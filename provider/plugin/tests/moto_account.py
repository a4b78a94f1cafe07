"""A moto server with a running instance and an image in it, for the plans of tests/terraform.rs.

Prints where they are as one line of JSON and ends with its standard input. Moto has no DescribeInstanceInformation: here
no instance has an agent.
"""

import json
import sys

import boto3
from moto.server import ThreadedMotoServer
from moto.ssm.responses import SimpleSystemManagerResponse

REGION = "eu-central-1"


def describe_instance_information(_self):
    return json.dumps({"InstanceInformationList": []})


def main():
    SimpleSystemManagerResponse.describe_instance_information = describe_instance_information
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    ec2 = boto3.client(
        "ec2", region_name=REGION, endpoint_url=url, aws_access_key_id="AKIDMOTO", aws_secret_access_key="secret"
    )
    image = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
    launched = ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1)
    instance = launched["Instances"][0]["InstanceId"]
    ec2.create_image(InstanceId=instance, Name="taken", NoReboot=True)
    print(json.dumps({"url": url, "region": REGION, "instance": instance}), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
