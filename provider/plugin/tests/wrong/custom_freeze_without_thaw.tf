resource "consistent_db_image" "orders" {
  name               = "orders-1"
  source_instance_id = "i-0123456789abcdef0"
  custom             = { paths = ["/srv"], freeze = "lock it" }
}
