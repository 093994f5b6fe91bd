# A private cluster. One small node is always there, for the server and the workers; all others come with work and go
# after it.
resource "google_container_cluster" "this" {
  #checkov:skip=CKV_GCP_12:Dataplane V2 (datapath_provider) enforces network policies itself; the add-on cannot be turned on beside it
  #checkov:skip=CKV_GCP_66:images come from one private registry with immutable tags; attestations would need a build service of their own
  name                        = "chrombpnet"
  location                    = var.region
  node_locations              = var.zones
  network                     = google_compute_network.this.id
  subnetwork                  = google_compute_subnetwork.nodes.id
  remove_default_node_pool    = true
  initial_node_count          = 1
  enable_intranode_visibility = true
  enable_shielded_nodes       = true
  deletion_protection         = true
  datapath_provider           = "ADVANCED_DATAPATH"
  resource_labels             = { app = "chrombpnet" }

  release_channel {
    channel = "REGULAR"
  }
  workload_identity_config {
    workload_pool = "${var.project}.svc.id.goog"
  }
  ip_allocation_policy {
    cluster_secondary_range_name  = "pods"
    services_secondary_range_name = "services"
  }
  private_cluster_config {
    enable_private_nodes    = true
    enable_private_endpoint = false
    master_ipv4_cidr_block  = "10.40.0.0/28"
  }
  master_authorized_networks_config {
    dynamic "cidr_blocks" {
      for_each = var.operators
      content {
        display_name = cidr_blocks.key
        cidr_block   = cidr_blocks.value
      }
    }
  }
  master_auth {
    client_certificate_config {
      issue_client_certificate = false
    }
  }
  authenticator_groups_config {
    security_group = var.security_group
  }
  database_encryption {
    state    = "ENCRYPTED"
    key_name = google_kms_crypto_key.this.id
  }
  # Of the default pool, which is removed as soon as there are others.
  node_config {
    service_account = google_service_account.this["nodes"].email
    workload_metadata_config {
      mode = "GKE_METADATA"
    }
    shielded_instance_config {
      enable_secure_boot          = true
      enable_integrity_monitoring = true
    }
  }
  logging_config {
    enable_components = ["SYSTEM_COMPONENTS", "WORKLOADS"]
  }
  monitoring_config {
    enable_components = ["SYSTEM_COMPONENTS"]
  }
  maintenance_policy {
    recurring_window {
      start_time = "2026-01-03T02:00:00Z"
      end_time   = "2026-01-03T10:00:00Z"
      recurrence = "FREQ=WEEKLY;BYDAY=SA,SU"
    }
  }
  depends_on = [google_kms_crypto_key_iam_member.services]
}

locals {
  pools = {
    services      = { pool = "services", spot = false, machine = "e2-standard-4", least = 1, most = 2, zones = slice(var.zones, 0, 1) }
    cpu-spot      = { pool = "cpu", spot = true, machine = var.cpu_machine, least = 0, most = var.cpu_nodes.spot, zones = var.zones }
    cpu-on-demand = { pool = "cpu", spot = false, machine = var.cpu_machine, least = 0, most = var.cpu_nodes.on_demand, zones = var.zones }
    gpu-spot      = { pool = "gpu", spot = true, machine = var.gpu.machine, least = 0, most = var.gpu_nodes.spot, zones = var.zones }
    gpu-on-demand = { pool = "gpu", spot = false, machine = var.gpu.machine, least = 0, most = var.gpu_nodes.on_demand, zones = var.zones }
  }
}

resource "google_container_node_pool" "this" {
  for_each       = local.pools
  name           = each.key
  cluster        = google_container_cluster.this.id
  node_locations = each.value.zones

  autoscaling {
    min_node_count  = each.value.least
    max_node_count  = each.value.most
    location_policy = each.value.spot ? "ANY" : "BALANCED"
  }
  management {
    auto_repair  = true
    auto_upgrade = true
  }
  node_config {
    machine_type      = each.value.machine
    spot              = each.value.spot
    disk_type         = "pd-balanced"
    disk_size_gb      = each.value.pool == "services" ? 100 : 200
    boot_disk_kms_key = google_kms_crypto_key.this.id
    service_account   = google_service_account.this["nodes"].email
    oauth_scopes      = ["https://www.googleapis.com/auth/cloud-platform"]
    # What the job template selects nodes by.
    labels = {
      "chrombpnet.io/pool" = each.value.pool
      "chrombpnet.io/spot" = tostring(each.value.spot)
    }
    dynamic "guest_accelerator" {
      for_each = each.value.pool == "gpu" ? [var.gpu] : []
      content {
        type  = guest_accelerator.value.type
        count = guest_accelerator.value.count
        gpu_driver_installation_config {
          gpu_driver_version = "LATEST"
        }
      }
    }
    # GKE itself taints nodes that have a GPU.
    dynamic "taint" {
      for_each = each.value.spot ? [1] : []
      content {
        key    = "chrombpnet.io/spot"
        value  = "true"
        effect = "NO_SCHEDULE"
      }
    }
    workload_metadata_config {
      mode = "GKE_METADATA"
    }
    shielded_instance_config {
      enable_secure_boot          = true
      enable_integrity_monitoring = true
    }
    metadata = { disable-legacy-endpoints = "true" }
  }
}
