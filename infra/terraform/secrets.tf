# Passwords are made while Terraform runs and go to the database and to Secret Manager: no state, plan or output holds them.
# They are sent again, as new ones, where var.passwords_version is raised.
ephemeral "random_password" "database" {
  length  = 32
  special = false
}

ephemeral "random_password" "api" {
  length  = 32
  special = false
}

locals {
  secrets = {
    api-auth     = "prefect:${ephemeral.random_password.api.result}"
    database-url = "postgresql+asyncpg://prefect:${ephemeral.random_password.database.result}@${google_sql_database_instance.this.private_ip_address}:5432/prefect?ssl=require"
  }
}

# What the cluster's secret is made of, by whoever may read these: docs/operations.md.
resource "google_secret_manager_secret" "this" {
  for_each  = toset(["api-auth", "database-url"])
  secret_id = "chrombpnet-${each.key}"
  replication {
    user_managed {
      replicas {
        location = var.region
        customer_managed_encryption {
          kms_key_name = google_kms_crypto_key.this.id
        }
      }
    }
  }
  depends_on = [google_kms_crypto_key_iam_member.services]
}

resource "google_secret_manager_secret_version" "this" {
  for_each               = google_secret_manager_secret.this
  secret                 = each.value.id
  secret_data_wo         = local.secrets[each.key]
  secret_data_wo_version = var.passwords_version
}
