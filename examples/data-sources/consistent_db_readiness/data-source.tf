# Warns in every plan and apply as long as no image could be taken of the server.
check "orders_can_be_imaged" {
  data "consistent_db_readiness" "orders" {
    source_instance_id = "i-0123456789abcdef0"
    postgresql         = {}
  }

  assert {
    condition     = data.consistent_db_readiness.orders.ready
    error_message = join("\n", data.consistent_db_readiness.orders.problems[*].message)
  }
}
