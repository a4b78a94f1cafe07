import {
  to = consistent_db_image.orders
  id = "ami-0123456789abcdef0"
}
