# PostgreSQL of the Prefect server: what ran and what is to run. It can be lost without loss of results (those are in the
# bucket), but not without the schedules' history; so it is backed up.
resource "google_sql_database_instance" "this" {
  #checkov:skip=CKV_GCP_6:TLS is required of every connection; client certificates as well would add keys to keep and rotate, on a network that only this cluster is in
  #checkov:skip=CKV_GCP_108:addresses of pods have no host names to look up
  #checkov:skip=CKV2_GCP_13:a line for each of the server's hundreds of statements a second would cost more than the database
  name                = "chrombpnet"
  region              = var.region
  database_version    = "POSTGRES_18"
  encryption_key_name = google_kms_crypto_key.this.id
  deletion_protection = true

  settings {
    edition                     = "ENTERPRISE"
    tier                        = var.database_tier
    availability_type           = "ZONAL"
    disk_autoresize             = true
    deletion_protection_enabled = true

    ip_configuration {
      ipv4_enabled    = false
      private_network = google_compute_network.this.id
      ssl_mode        = "ENCRYPTED_ONLY"
    }
    backup_configuration {
      enabled                        = true
      start_time                     = "02:00"
      point_in_time_recovery_enabled = true
      backup_retention_settings {
        retained_backups = 14
      }
    }
    maintenance_window {
      day  = 7
      hour = 4
    }
    insights_config {
      query_insights_enabled = true
    }
    database_flags {
      name  = "cloudsql.enable_pgaudit"
      value = "on"
    }
    database_flags {
      name  = "log_checkpoints"
      value = "on"
    }
    database_flags {
      name  = "log_connections"
      value = "on"
    }
    database_flags {
      name  = "log_disconnections"
      value = "on"
    }
    database_flags {
      name  = "log_lock_waits"
      value = "on"
    }
    database_flags {
      name  = "log_min_duration_statement"
      value = "-1"
    }
    database_flags {
      name  = "log_min_error_statement"
      value = "error"
    }
    database_flags {
      name  = "log_min_messages"
      value = "error"
    }
    database_flags {
      name  = "log_statement"
      value = "ddl"
    }
    database_flags {
      name  = "log_temp_files"
      value = "0"
    }
  }
  depends_on = [google_service_networking_connection.services, google_kms_crypto_key_iam_member.services]
}

resource "google_sql_database" "prefect" {
  name     = "prefect"
  instance = google_sql_database_instance.this.name
}

resource "google_sql_user" "prefect" {
  name     = "prefect"
  instance = google_sql_database_instance.this.name

  password_wo         = ephemeral.random_password.database.result
  password_wo_version = var.passwords_version
}
