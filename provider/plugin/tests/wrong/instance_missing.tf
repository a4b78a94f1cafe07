resource "consistent_db_image" "orders" {
  name       = "orders-1"
  postgresql = {}
}
