# The newest proven image of the orders server, at most one and a half days old.
data "consistent_db_image" "orders" {
  source_instance_id = "i-0123456789abcdef0"
  engine             = "postgresql"
  name_regex         = "^orders-"
  max_age            = "36h"
  most_recent        = true

  tags = {
    Name = "orders"
  }
}

output "image_id" {
  value = data.consistent_db_image.orders.id
}

output "recovery_point" {
  value = data.consistent_db_image.orders.recovery_point
}
