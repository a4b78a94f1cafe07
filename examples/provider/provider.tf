terraform {
  required_providers {
    consistent = {
      source = "consistent-db/consistent"
    }
  }
}

provider "consistent" {
  region = "eu-central-1"

  default_tags {
    tags = {
      Team = "databases"
    }
  }
}
