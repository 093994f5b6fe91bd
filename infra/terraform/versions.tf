terraform {
  required_version = ">= 1.11"
  required_providers {
    google = {
      source  = "hashicorp/google"
      version = "~> 6.50"
    }
    google-beta = {
      source  = "hashicorp/google-beta"
      version = "~> 6.50"
    }
    random = {
      source  = "hashicorp/random"
      version = "~> 3.7"
    }
  }
  # The state holds no secret, but all names and addresses: keep it in a private bucket, given by -backend-config=bucket=…
  backend "gcs" {
    prefix = "chrombpnet"
  }
}

provider "google" {
  project        = var.project
  region         = var.region
  default_labels = { app = "chrombpnet" }
}

resource "google_project_service" "needed" {
  for_each = toset([
    "aiplatform.googleapis.com", "artifactregistry.googleapis.com", "cloudkms.googleapis.com", "compute.googleapis.com",
    "container.googleapis.com", "dns.googleapis.com", "pubsub.googleapis.com", "secretmanager.googleapis.com", "servicenetworking.googleapis.com",
    "sqladmin.googleapis.com",
  ])
  service            = each.key
  disable_on_destroy = false
}

data "google_project" "this" {
  project_id = var.project
}
