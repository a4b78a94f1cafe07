resource "consistent_db_image" "orders" {
  name_prefix                        = "orders-"
  source_instance_id                 = "i-0123456789abcdef0"
  postgresql                         = {}
  deregistration_protection          = false
  deregistration_protection_cooldown = true
}
