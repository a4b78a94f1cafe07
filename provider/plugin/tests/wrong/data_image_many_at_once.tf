data "consistent_db_image" "orders" {
  source_instance_id = "i-1"
  engine             = "db2"
  name_regex         = "^orders-("
  max_age            = "2 days"
  tags               = { Env = null }
}
