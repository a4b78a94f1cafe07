resource "consistent_db_image" "orders" {
  name               = "ab"
  source_instance_id = "i-0123456789abcdef0"
  postgresql         = {}
}
