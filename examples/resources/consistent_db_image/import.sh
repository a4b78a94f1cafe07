# By the id of an image that carries its proof.
terraform import consistent_db_image.orders ami-0123456789abcdef0
