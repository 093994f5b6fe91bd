# One key of our own for all that is stored; it is replaced by itself every 90 days, and old data stays readable.
resource "google_kms_key_ring" "this" {
  name       = "chrombpnet"
  location   = var.region
  depends_on = [google_project_service.needed]
}

resource "google_kms_crypto_key" "this" {
  name            = "chrombpnet"
  key_ring        = google_kms_key_ring.this.id
  rotation_period = "7776000s"
  lifecycle {
    prevent_destroy = true
  }
}

resource "google_project_service_identity" "sql" {
  provider = google-beta
  service  = "sqladmin.googleapis.com"
}

resource "google_project_service_identity" "pubsub" {
  provider = google-beta
  service  = "pubsub.googleapis.com"
}

resource "google_project_service_identity" "secrets" {
  provider = google-beta
  service  = "secretmanager.googleapis.com"
}

data "google_storage_project_service_account" "this" {}

resource "google_kms_crypto_key_iam_member" "services" {
  for_each = {
    storage  = data.google_storage_project_service_account.this.member
    sql      = google_project_service_identity.sql.member
    pubsub   = google_project_service_identity.pubsub.member
    secrets  = google_project_service_identity.secrets.member
    registry = "serviceAccount:service-${data.google_project.this.number}@gcp-sa-artifactregistry.iam.gserviceaccount.com"
    cluster  = "serviceAccount:service-${data.google_project.this.number}@container-engine-robot.iam.gserviceaccount.com"
    disks    = "serviceAccount:service-${data.google_project.this.number}@compute-system.iam.gserviceaccount.com"
  }
  crypto_key_id = google_kms_crypto_key.this.id
  role          = "roles/cloudkms.cryptoKeyEncrypterDecrypter"
  member        = each.value
}
