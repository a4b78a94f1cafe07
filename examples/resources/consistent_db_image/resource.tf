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

  timeouts = {
    create = "90m"
  }
}

output "image_id" {
  value = consistent_db_image.orders.id
}

output "writes_held_for_ms" {
  value = consistent_db_image.orders.evidence.hold_ms
}
