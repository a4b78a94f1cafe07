# Nobody is asked: every computed attribute has a made-up value, or the one that is given here.
mock_provider "consistent" {}

override_resource {
  target = consistent_db_image.orders
  values = {
    id       = "ami-0123456789abcdef0"
    evidence = { hold_ms = 877 }
  }
}

variables {
  server  = "i-0123456789abcdef0"
  release = "2026.11"
}

run "an_image_is_made_of_the_server" {
  command = plan

  assert {
    condition     = consistent_db_image.orders.source_instance_id == var.server
    error_message = "The image is of another server."
  }

  assert {
    condition     = consistent_db_image.orders.triggers["release"] == var.release
    error_message = "A new release makes no new image."
  }
}

run "the_module_tells_the_image_and_its_hold" {
  assert {
    condition     = output.image == "ami-0123456789abcdef0"
    error_message = "The module's output is not the image's id."
  }

  assert {
    condition     = output.hold == "877 ms"
    error_message = "The module's output is not the image's hold."
  }
}
