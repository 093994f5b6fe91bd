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
  validation {
    condition     = alltrue([for range in values(var.operators) : can(cidrhost(range, 0)) && !can(regex("/([0-9]|1[0-5])$", range))])
    error_message = "CIDR ranges of an office or a machine, /16 or smaller: not the internet."
  }
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

variable "passwords_version" {
  description = "A higher number makes new passwords of the database and of the Prefect server"
  type        = number
  default     = 1
}

variable "egress" {
  description = "What machines may reach outside Google, by HTTPS: hosts by name (at first ENCODE's portal and bucket), and CIDR ranges for those whose addresses change too fast"
  type        = object({ hosts = list(string), ranges = list(string) })
  default = {
    hosts  = ["www.encodeproject.org", "encode-public.s3.amazonaws.com", "encode-public.s3.us-west-2.amazonaws.com"]
    ranges = []
  }
  validation {
    condition     = alltrue([for host in var.egress.hosts : can(regex("^[a-z0-9-]+([.][a-z0-9-]+)+$", host))])
    error_message = "Names of hosts, such as www.encodeproject.org: no scheme, port, path or wildcard."
  }
  validation {
    condition     = alltrue([for range in var.egress.ranges : can(cidrhost(range, 0)) && !can(regex("/[0-7]$", range))])
    error_message = "CIDR ranges such as 52.218.128.0/17; /0 to /7 would be the internet."
  }
}

variable "vertex_ai" {
  description = "Whether the worker may start Vertex AI jobs, for pools of type vertex-ai"
  type        = bool
  default     = false
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
