terraform {
  required_providers {
    consistent = {
      source = "consistent-db/consistent"
    }
  }
}

variable "server" {
  type = string
}

variable "release" {
  type = string
}

resource "consistent_db_image" "orders" {
  name_prefix        = "orders-"
  source_instance_id = var.server
  postgresql         = {}
  triggers           = { release = var.release }
}

output "image" {
  value = consistent_db_image.orders.id
}

output "hold" {
  description = "How long clients waited."
  value       = "${consistent_db_image.orders.evidence.hold_ms} ms"
}
