"""Makes boto3 strict: every answer must be made of what botocore's model of the service knows, and of nothing else.

botocore itself ignores elements that it does not know, and a misspelt element is one that it does not know.
"""

import json
from xml.etree import ElementTree

import botocore.parsers
from botocore.utils import parse_timestamp

problems = []
checked = 0


def install():
    """Checks every successful answer from now on."""
    for cls in (botocore.parsers.EC2QueryParser, botocore.parsers.QueryParser, botocore.parsers.JSONParser):
        _wrap(cls)


def _wrap(cls):
    parse = cls.parse

    def strict(self, response, shape):
        if response["status_code"] < 300 and shape is not None:
            _check(response["body"], shape)
        return parse(self, response, shape)

    if cls.parse is botocore.parsers.ResponseParser.parse:
        cls.parse = strict


def _check(body, shape):
    global checked
    checked += 1
    if body[:1] == b"{":
        _json(json.loads(body), shape, shape.name)
        return
    root = ElementTree.fromstring(body)
    for node in root.iter():
        node.tag = node.tag.rpartition("}")[2]
    wrapper = shape.serialization.get("resultWrapper")
    if wrapper:
        root = root.find(wrapper)
    else:
        request_id = root.find("requestId")
        if request_id is None:
            problems.append(f"{shape.name}: no requestId")
        else:
            root.remove(request_id)
    _xml(root, shape, shape.name)


def _xml(node, shape, path):
    if shape.type_name == "structure":
        members = {
            member.serialization.get("name", name): member for name, member in shape.members.items()
        }
        for child in node:
            if child.tag not in members:
                problems.append(f"{path}: unknown element {child.tag}")
                continue
            _xml(child, members[child.tag], f"{path}.{child.tag}")
    elif shape.type_name == "list":
        item = shape.member.serialization.get("name", "member")
        for child in node:
            if child.tag != item:
                problems.append(f"{path}: a list of {item} has a {child.tag}")
            _xml(child, shape.member, f"{path}[]")
    else:
        _scalar(node.text or "", shape, path)


def _json(value, shape, path):
    if shape.type_name == "structure":
        for name, child in value.items():
            if name not in shape.members:
                problems.append(f"{path}: unknown member {name}")
                continue
            _json(child, shape.members[name], f"{path}.{name}")
    elif shape.type_name == "list":
        for child in value:
            _json(child, shape.member, f"{path}[]")
    elif shape.type_name == "map":
        for child in value.values():
            _json(child, shape.value, f"{path}{{}}")
    elif value is None:
        problems.append(f"{path}: null")
    else:
        kinds = {"string": str, "boolean": bool, "integer": int, "long": int, "timestamp": (int, float)}
        if not isinstance(value, kinds[shape.type_name]):
            problems.append(f"{path}: {value!r} is no {shape.type_name}")
        elif shape.type_name == "string":
            _scalar(value, shape, path)


def _scalar(text, shape, path):
    try:
        if shape.type_name in ("integer", "long"):
            int(text)
        elif shape.type_name in ("double", "float"):
            float(text)
        elif shape.type_name == "boolean" and text not in ("true", "false"):
            raise ValueError(text)
        elif shape.type_name == "timestamp":
            parse_timestamp(text)
        elif shape.type_name == "string" and shape.enum and text not in shape.enum:
            raise ValueError(f"{text!r} is not one of {shape.enum}")
    except ValueError as error:
        problems.append(f"{path}: {error}")
