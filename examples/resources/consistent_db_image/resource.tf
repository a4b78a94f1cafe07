resource "consistent_db_image" "orders" {
  name               = "orders-2026-11-22"
  description        = "Orders database before the upgrade to 16"
  source_instance_id = "i-0123456789abcdef0"

  # Port, socket, OS user and data directory are detected.
  postgresql = {}

  # Writes go on after 30 s at the latest, whatever happens.
  quiesce = {
    method           = "auto"
    max_hold_seconds = 30
  }

  # Any change makes a new image.
  triggers = {
    release = "2026.11"
  }

  tags = {
    Name = "orders"
  }

  # Over `tags`, on the snapshots alone.
  snapshot_tags = {
    Backup = "no"
  }

  deprecation_time          = "2031-01-31T00:00:00Z"
  deregistration_protection = true

  timeouts = {
    create = "90m"
  }
}

# A new image takes the place of the old one only when it is proven: both exist for a while, so their names differ.
resource "consistent_db_image" "nightly" {
  name_prefix        = "orders-nightly-"
  source_instance_id = "i-0123456789abcdef0"
  postgresql         = {}

  triggers = {
    night = "2026-11-22"
  }

  lifecycle {
    create_before_destroy = true
  }
}

output "image_id" {
  value = consistent_db_image.orders.id
}

output "writes_held_for_ms" {
  value = consistent_db_image.orders.evidence.hold_ms
}
