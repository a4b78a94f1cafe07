"""What moto's EC2 lacks of an image's upkeep: its description, deprecation and protection from deregistration.

As the API reference has it: times are rounded to the minute, a protected image is not deregistered.
"""

from datetime import datetime, timedelta

from moto.core.responses import ActionResult
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models.amis import AmiBackend
from moto.ec2.responses.amis import AmisResponse

DONE = {"Return": "true"}


def image_of(response):
    return response.ec2_backend.describe_images(ami_ids=[response._get_param("ImageId")])[0]


def enable_image_deprecation(self):
    at = self._get_param("DeprecateAt")
    at = datetime.fromisoformat(str(at).replace("Z", "+00:00")) + timedelta(seconds=30)
    image_of(self).deprecation_time = at.strftime("%Y-%m-%dT%H:%M:00.000Z")
    return ActionResult(DONE)


def disable_image_deprecation(self):
    image_of(self).deprecation_time = None
    return ActionResult(DONE)


def enable_image_deregistration_protection(self):
    cooldown = "with" if self._get_param("WithCooldown") else "without"
    image_of(self).deregistration_protection = f"enabled-{cooldown}-cooldown"
    return ActionResult(DONE)


def disable_image_deregistration_protection(self):
    image_of(self).deregistration_protection = "disabled"
    return ActionResult(DONE)


def install():
    modify, deregister = AmisResponse.modify_image_attribute, AmiBackend.deregister_image

    def modify_image_attribute(self):
        description = self._get_param("Description")
        if description is None:
            return modify(self)
        image_of(self).description = description.get("Value", "")
        return ActionResult({})

    def deregister_image(self, ami_id):
        image = self.describe_images(ami_ids=[ami_id])[0]
        if getattr(image, "deregistration_protection", "").startswith("enabled"):
            raise EC2ClientError("OperationNotPermitted", f"{ami_id} is protected")
        return deregister(self, ami_id)

    AmiBackend.deregister_image = deregister_image
    AmisResponse.modify_image_attribute = modify_image_attribute
    for action in (
        enable_image_deprecation,
        disable_image_deprecation,
        enable_image_deregistration_protection,
        disable_image_deregistration_protection,
    ):
        setattr(AmisResponse, action.__name__, action)
