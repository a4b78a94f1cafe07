terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "5.100.0"
    }
  }
}

provider "aws" {}

variable "source_instance_id" {
  type = string
}

resource "aws_ami_from_instance" "plain" {
  name                    = "plain"
  source_instance_id      = var.source_instance_id
  snapshot_without_reboot = true
  tags                    = { team = "db" }
}

data "aws_ami" "found" {
  owners      = ["self"]
  most_recent = true

  filter {
    name   = "name"
    values = [aws_ami_from_instance.plain.name]
  }
}

resource "aws_instance" "restored" {
  ami           = data.aws_ami.found.id
  instance_type = "m7i.large"
  tags          = { Name = "restored" }
}

output "image" {
  value = aws_ami_from_instance.plain.id
}

output "instance" {
  value = aws_instance.restored.id
}
