variable "project" {
  description = "Google Cloud project; best one that holds nothing else"
  type        = string
}

variable "region" {
  description = "Where everything lies: bucket and GPUs in one region, or every read costs"
  type        = string
  default     = "europe-west4"
}

variable "zones" {
  description = "Zones of the GPU nodes: those of the region that have the card"
  type        = list(string)
  default     = ["europe-west4-a", "europe-west4-b", "europe-west4-c"]
}

variable "operators" {
  description = "CIDR ranges that may reach the cluster's control plane, by name; nobody else can run kubectl"
  type        = map(string)
}

variable "security_group" {
  description = "gke-security-groups@DOMAIN: the Google group under which Kubernetes roles are given to people"
  type        = string
}

variable "gpu" {
  description = "Card, machine with it, and how many of it a machine has"
  type        = object({ type = string, machine = string, count = number })
  default     = { type = "nvidia-l4", machine = "g2-standard-8", count = 1 }
}

variable "gpu_nodes" {
  description = "GPU nodes of each zone at most; there are none while nothing trains"
  type        = object({ spot = number, on_demand = number })
  default     = { spot = 4, on_demand = 1 }
}

variable "cpu_nodes" {
  description = "CPU nodes of each zone at most; there are none while nothing runs"
  type        = object({ spot = number, on_demand = number })
  default     = { spot = 4, on_demand = 2 }
}

variable "cpu_machine" {
  description = "Machine of the CPU nodes"
  type        = string
  default     = "n2-standard-8"
}

variable "store" {
  description = "Folder of the bucket that steps keep their outputs in, as in --store gs://BUCKET/FOLDER"
  type        = string
  default     = "store"
}

variable "checkpoint_days" {
  description = "Days after which checkpoints that no training has taken up again are deleted"
  type        = number
  default     = 14
}

variable "database_tier" {
  description = "Machine of the Prefect server's PostgreSQL"
  type        = string
  default     = "db-custom-2-7680"
}

variable "image_tag" {
  description = "Tag of the image in the registry"
  type        = string
  default     = "0.1.0"
}

variable "bridge_url" {
  description = "https:// address at which the bridge takes notifications; empty: none are sent"
  type        = string
  default     = ""
  validation {
    condition     = var.bridge_url == "" || can(regex("^https://[^?#@]+$", var.bridge_url))
    error_message = "An https:// address without query, fragment or user: secrets in addresses are written into logs."
  }
}
