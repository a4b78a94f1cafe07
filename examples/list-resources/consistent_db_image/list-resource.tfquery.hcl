# In a file whose name ends in .tfquery.hcl, for `terraform query` (Terraform 1.14 or later).
list "consistent_db_image" "orders" {
  provider = consistent

  config {
    engine  = "postgresql"
    max_age = "720h"
    tags = {
      Team = "orders"
    }
  }
}
