resource "consistent_db_image" "orders" {
  name               = "a:b"
  source_instance_id = "i-1"
  postgresql         = { port = 0 }
  quiesce            = { method = "magic", attempts = 0 }
  tags               = { "aws:x" = "1" }
  snapshot_tags      = { A = null }
  deprecation_time   = "soon"
  timeouts           = { create = "5" }
}
