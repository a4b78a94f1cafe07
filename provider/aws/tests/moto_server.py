"""moto's server with the one thing added that CreateImage needs here: tags for snapshots.

moto 5 raises NotImplementedError for a TagSpecification of type `snapshot` (moto/ec2/models/amis.py). Arguments as
moto.server's own.
"""

import sys

from moto.ec2.models.amis import AmiBackend
from moto.server import main

create_image = AmiBackend.create_image


def create_image_and_tag_snapshot(self, instance_id, name, description, tag_specifications):
    for_snapshot = [it for it in tag_specifications if it["ResourceType"] == "snapshot"]
    others = [it for it in tag_specifications if it["ResourceType"] != "snapshot"]
    image = create_image(self, instance_id, name, description, others)
    for specification in for_snapshot:
        for tag in specification["Tags"]:
            image.ebs_snapshot.add_tag(tag["Key"], tag["Value"])
    return image


AmiBackend.create_image = create_image_and_tag_snapshot

if __name__ == "__main__":
    main(sys.argv[1:])
