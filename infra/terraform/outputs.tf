output "bucket" {
  description = "For --store gs://BUCKET/store, --results and --drops"
  value       = google_storage_bucket.data.name
}

output "image" {
  description = "Where to push the image"
  value       = local.image
}

output "job_account" {
  description = "For Vertex AI: service_account_name"
  value       = google_service_account.this["job"].email
}

output "manifests" {
  description = "Prefect server, workers and bridge: terraform output -raw manifests | kubectl apply -f -"
  value = templatefile("${path.module}/services.yaml.tftpl", {
    project      = var.project
    image        = local.image
    drops        = "gs://${google_storage_bucket.data.name}/datasets/"
    push_account = google_service_account.this["push"].email
    # No token has this one, so that nobody is heard before there is an address.
    push_audience = var.bridge_url == "" ? "https://bridge.invalid/" : var.bridge_url
  })
}

locals {
  image = "${var.region}-docker.pkg.dev/${var.project}/${google_artifact_registry_repository.this.repository_id}/chrombpnet:${var.image_tag}"
}
