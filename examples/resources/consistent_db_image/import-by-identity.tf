import {
  to = consistent_db_image.orders
  identity = {
    id = "ami-0123456789abcdef0"
  }
}
