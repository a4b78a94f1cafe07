data "consistent_db_image" "orders" {
  name_regex = "^orders-(?!test)"
}
