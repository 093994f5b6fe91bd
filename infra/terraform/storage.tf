# Inputs, the steps' store and results. Private, versioned, encrypted with our key; checkpoints expire.
resource "google_storage_bucket" "data" {
  name                        = "${var.project}-chrombpnet"
  location                    = var.region
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = false

  versioning {
    enabled = true
  }
  soft_delete_policy {
    retention_duration_seconds = 604800
  }
  encryption {
    default_kms_key_name = google_kms_crypto_key.this.id
  }
  logging {
    log_bucket        = google_storage_bucket.logs.name
    log_object_prefix = "data"
  }

  # What a training that was given up has left. A step that ends removes its own.
  lifecycle_rule {
    condition {
      age            = var.checkpoint_days
      matches_prefix = ["${var.store}/checkpoints/"]
    }
    action {
      type = "Delete"
    }
  }
  # Checkpoints are replaced every two minutes: older ones of them, and whatever was deleted, are kept for a while only.
  lifecycle_rule {
    condition {
      days_since_noncurrent_time = 1
      matches_prefix             = ["${var.store}/checkpoints/"]
    }
    action {
      type = "Delete"
    }
  }
  lifecycle_rule {
    condition {
      days_since_noncurrent_time = 30
    }
    action {
      type = "Delete"
    }
  }
  # Uploads that were killed midway.
  lifecycle_rule {
    condition {
      age = 7
    }
    action {
      type = "AbortIncompleteMultipartUpload"
    }
  }

  depends_on = [google_kms_crypto_key_iam_member.services]
}

resource "google_storage_bucket" "logs" {
  #checkov:skip=CKV_GCP_62:this bucket holds the access logs; logging who reads them would never end
  name                        = "${var.project}-chrombpnet-logs"
  location                    = var.region
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  versioning {
    enabled = true
  }
  lifecycle_rule {
    condition {
      age = 90
    }
    action {
      type = "Delete"
    }
  }
}

resource "google_storage_bucket_iam_member" "logs" {
  bucket = google_storage_bucket.logs.name
  role   = "roles/storage.objectCreator"
  member = "group:cloud-storage-analytics@google.com"
}

resource "google_artifact_registry_repository" "this" {
  repository_id = "chrombpnet"
  location      = var.region
  format        = "DOCKER"
  kms_key_name  = google_kms_crypto_key.this.id
  docker_config {
    immutable_tags = true
  }
  cleanup_policies {
    id     = "untagged"
    action = "DELETE"
    condition {
      tag_state  = "UNTAGGED"
      older_than = "604800s"
    }
  }
  depends_on = [google_kms_crypto_key_iam_member.services]
}
