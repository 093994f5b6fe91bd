# An account for each part, with what that part needs: nodes may log and pull the image, jobs may use the bucket, the server
# may read its own secrets. No account has a key that could be copied.
resource "google_service_account" "this" {
  for_each = {
    nodes  = "what Kubernetes itself does on nodes"
    job    = "flow runs: bucket"
    server = "Prefect server: nothing but the database, by password"
    bridge = "bridge from bucket to events: nothing"
    worker = "workers: start jobs in the cluster or on Vertex AI"
    push   = "Pub/Sub, as it calls the bridge"
  }
  account_id   = "chrombpnet-${each.key}"
  display_name = "chrombpnet: ${each.value}"
}

resource "google_project_iam_member" "nodes" {
  for_each = toset(["roles/logging.logWriter", "roles/monitoring.metricWriter", "roles/monitoring.viewer",
  "roles/stackdriver.resourceMetadata.writer"])
  project = var.project
  role    = each.key
  member  = google_service_account.this["nodes"].member
}

resource "google_artifact_registry_repository_iam_member" "pull" {
  for_each   = toset(["nodes", "job"])
  repository = google_artifact_registry_repository.this.name
  location   = var.region
  role       = "roles/artifactregistry.reader"
  member     = google_service_account.this[each.key].member
}

# A run reads the bucket and writes anywhere but below datasets/: what is written there starts runs.
resource "google_storage_bucket_iam_member" "job_reads" {
  bucket = google_storage_bucket.data.name
  role   = "roles/storage.objectViewer"
  member = google_service_account.this["job"].member
}

resource "google_storage_bucket_iam_member" "job" {
  bucket = google_storage_bucket.data.name
  role   = "roles/storage.objectUser"
  member = google_service_account.this["job"].member
  condition {
    title      = "not below datasets"
    expression = "!resource.name.startsWith(\"projects/_/buckets/${google_storage_bucket.data.name}/objects/datasets/\")"
  }
}

# Only for the pool type vertex-ai (var.vertex_ai): jobs that run as the job's account, and no other.
resource "google_project_iam_custom_role" "vertex_jobs" {
  count       = var.vertex_ai ? 1 : 0
  role_id     = "chrombpnetVertexJobs"
  title       = "Start and watch Vertex AI custom jobs"
  permissions = ["aiplatform.customJobs.create", "aiplatform.customJobs.get", "aiplatform.customJobs.list", "aiplatform.customJobs.cancel"]
}

resource "google_project_iam_member" "vertex_jobs" {
  count   = var.vertex_ai ? 1 : 0
  project = var.project
  role    = google_project_iam_custom_role.vertex_jobs[0].id
  member  = google_service_account.this["worker"].member
}

resource "google_service_account_iam_member" "vertex_as_job" {
  count              = var.vertex_ai ? 1 : 0
  service_account_id = google_service_account.this["job"].name
  role               = "roles/iam.serviceAccountUser"
  member             = google_service_account.this["worker"].member
}

# Workload identity: the Kubernetes account chrombpnet/chrombpnet-NAME is the Google account chrombpnet-NAME.
resource "google_service_account_iam_member" "workload_identity" {
  for_each           = toset(["job", "server", "bridge", "worker"])
  service_account_id = google_service_account.this[each.key].name
  role               = "roles/iam.workloadIdentityUser"
  member             = "serviceAccount:${var.project}.svc.id.goog[chrombpnet/chrombpnet-${each.key}]"
  depends_on         = [google_container_cluster.this]
}
