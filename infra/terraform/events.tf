# A data set file that is written below datasets/ is told of; the bridge makes a Prefect event of it.
resource "google_pubsub_topic" "drops" {
  name         = "chrombpnet-drops"
  kms_key_name = google_kms_crypto_key.this.id
  depends_on   = [google_kms_crypto_key_iam_member.services]
}

resource "google_pubsub_topic_iam_member" "bucket" {
  topic  = google_pubsub_topic.drops.id
  role   = "roles/pubsub.publisher"
  member = data.google_storage_project_service_account.this.member
}

resource "google_storage_notification" "drops" {
  bucket             = google_storage_bucket.data.name
  topic              = google_pubsub_topic.drops.id
  event_types        = ["OBJECT_FINALIZE"]
  object_name_prefix = "datasets/"
  payload_format     = "JSON_API_V1"
  depends_on         = [google_pubsub_topic_iam_member.bucket]
}

resource "google_pubsub_subscription" "drops" {
  count                      = var.bridge_url == "" ? 0 : 1
  name                       = "chrombpnet-drops"
  topic                      = google_pubsub_topic.drops.id
  ack_deadline_seconds       = 30
  message_retention_duration = "604800s"
  push_config {
    push_endpoint = var.bridge_url
    oidc_token {
      service_account_email = google_service_account.this["push"].email
      audience              = var.bridge_url
    }
  }
  retry_policy {
    minimum_backoff = "10s"
    maximum_backoff = "600s"
  }
}
