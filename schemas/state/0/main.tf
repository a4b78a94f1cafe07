provider "consistent" {
  region     = "eu-central-1"
  access_key = "AKIDSTATE"
  secret_key = "secret"
}

resource "consistent_db_image" "orders" {
  name_prefix        = "orders-"
  description        = "Orders database before the upgrade to 16"
  source_instance_id = "i-0123456789abcdef0"
  postgresql         = { port = 5432 }
  quiesce            = { method = "freeze", max_hold_seconds = 30 }
  triggers           = { release = "2026.11" }
  tags               = { Name = "orders" }
  snapshot_tags      = { Backup = "no" }
  deprecation_time   = "2031-01-31T00:00:00Z"
  timeouts           = { create = "90m", delete = "1h" }

  deregistration_protection          = true
  deregistration_protection_cooldown = true
  skip_destroy                       = true
}
