# Which release is installed (ADR 41). A checkout is not a release: only a release's archive has release.json.
locals {
  release_file = "${path.module}/release.json"
  release      = fileexists(local.release_file) ? jsondecode(file(local.release_file)) : null
  installed    = try(nonsensitive(data.aws_ssm_parameters_by_path.release[0].values[0]), null)
}

# By path, because this data source finds nothing where another would fail: before the first apply.
data "aws_ssm_parameters_by_path" "release" {
  count = local.release == null ? 0 : 1

  path = "/slipway/${var.name_prefix}"
}

resource "aws_ssm_parameter" "release" {
  #checkov:skip=CKV2_AWS_34:a release's version is public
  #checkov:skip=CKV_AWS_337:a release's version is public
  count = local.release == null ? 0 : 1

  name        = "/slipway/${var.name_prefix}/release"
  description = "The release of Slipway that is installed"
  type        = "String"
  value       = local.release.version

  lifecycle {
    precondition {
      condition = !anytrue([for line in local.release.too_old : startswith(coalesce(local.installed, "none"), "${line}.")])
      error_message = join(" ", [
        "Installed is Slipway ${coalesce(local.installed, "none")}, from which nobody can upgrade to ${local.release.version} directly:",
        "it does not understand what waits since then. Apply the last release of ${local.release.previous} first (docs/upgrade.md).",
      ])
    }
  }
}
