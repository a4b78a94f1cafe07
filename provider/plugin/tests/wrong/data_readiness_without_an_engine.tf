data "consistent_db_readiness" "orders" {
  source_instance_id = "i-0123456789abcdef0"
  method             = "magic"
}
