# What machines may reach: each other, the control plane, the database, Google's APIs by addresses that no internet is needed
# for, and by HTTPS the hosts of var.egress. All else is refused and logged. Rules by names of hosts are a feature of Cloud NGFW
# Standard, which is charged by traffic.
locals {
  # private.googleapis.com
  google_addresses = ["199.36.153.8", "199.36.153.9", "199.36.153.10", "199.36.153.11"]

  egress = {
    inside = {
      priority = 100
      action   = "allow"
      ranges   = ["10.10.0.0/20", "10.20.0.0/16", "10.30.0.0/20", "10.40.0.0/28"]
      hosts    = null
      protocol = "all"
      ports    = null
    }
    database = {
      priority = 200
      action   = "allow"
      ranges   = ["${google_compute_global_address.services.address}/${google_compute_global_address.services.prefix_length}"]
      hosts    = null
      protocol = "tcp"
      ports    = ["5432"]
    }
    google = {
      priority = 300
      action   = "allow"
      ranges   = ["199.36.153.8/30"]
      hosts    = null
      protocol = "tcp"
      ports    = ["443"]
    }
    nothing = {
      priority = 65000
      action   = "deny"
      ranges   = ["0.0.0.0/0"]
      hosts    = null
      protocol = "all"
      ports    = null
    }
  }
  egress_hosts = length(var.egress.hosts) == 0 ? {} : {
    hosts = { priority = 400, action = "allow", ranges = null, hosts = var.egress.hosts, protocol = "tcp", ports = ["443"] }
  }
  egress_ranges = length(var.egress.ranges) == 0 ? {} : {
    ranges = { priority = 500, action = "allow", ranges = var.egress.ranges, hosts = null, protocol = "tcp", ports = ["443"] }
  }
}

resource "google_compute_network_firewall_policy" "egress" {
  name        = "chrombpnet-egress"
  description = "What machines of the network chrombpnet may reach"
  depends_on  = [google_project_service.needed]
}

resource "google_compute_network_firewall_policy_rule" "egress" {
  for_each        = merge(local.egress, local.egress_hosts, local.egress_ranges)
  firewall_policy = google_compute_network_firewall_policy.egress.name
  rule_name       = each.key
  priority        = each.value.priority
  direction       = "EGRESS"
  action          = each.value.action
  enable_logging  = each.value.action == "deny"
  match {
    dest_ip_ranges = each.value.ranges
    dest_fqdns     = each.value.hosts
    layer4_configs {
      ip_protocol = each.value.protocol
      ports       = each.value.ports
    }
  }
}

resource "google_compute_network_firewall_policy_association" "egress" {
  name              = "chrombpnet-egress"
  firewall_policy   = google_compute_network_firewall_policy.egress.name
  attachment_target = google_compute_network.this.id
  depends_on        = [google_compute_network_firewall_policy_rule.egress]
}

# Names of Google's services lead to these addresses, for nodes and for pods.
resource "google_dns_managed_zone" "google" {
  for_each    = { googleapis = "googleapis.com.", gcr = "gcr.io.", registry = "pkg.dev." }
  name        = "chrombpnet-${each.key}"
  dns_name    = each.value
  description = "Google's services without the internet"
  visibility  = "private"
  private_visibility_config {
    networks {
      network_url = google_compute_network.this.id
    }
  }
  depends_on = [google_project_service.needed]
}

resource "google_dns_record_set" "google" {
  for_each     = google_dns_managed_zone.google
  managed_zone = each.value.name
  name         = each.value.dns_name
  type         = "A"
  ttl          = 300
  rrdatas      = local.google_addresses
}

resource "google_dns_record_set" "google_names" {
  for_each     = google_dns_managed_zone.google
  managed_zone = each.value.name
  name         = "*.${each.value.dns_name}"
  type         = "CNAME"
  ttl          = 300
  rrdatas      = [each.value.dns_name]
}
