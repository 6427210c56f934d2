# The installed release (ADR 41). A checkout is not a release: only a release's archive has
# release.json.
locals {
  release   = try(jsondecode(file("${path.module}/release.json")), { version = "none", previous = "none", too_old = [] })
  parameter = "/slipway/${var.name_prefix}/release"
  # By name, because an operator may keep parameters of their own beside it.
  parameters = merge([for found in data.aws_ssm_parameters_by_path.release : zipmap(found.names, nonsensitive(found.values))]...)
  installed  = lookup(local.parameters, local.parameter, "none")
}

# By path, because this data source returns nothing where others would fail: before the first apply.
data "aws_ssm_parameters_by_path" "release" {
  count = local.release.version == "none" ? 0 : 1

  path = "/slipway/${var.name_prefix}"
}

resource "aws_ssm_parameter" "release" {
  #checkov:skip=CKV2_AWS_34:a release's version is public
  #checkov:skip=CKV_AWS_337:a release's version is public
  count = local.release.version == "none" ? 0 : 1

  name           = local.parameter
  description    = "The release of Slipway that is installed"
  type           = "String"
  insecure_value = local.release.version # a plan shows it

  lifecycle {
    precondition {
      condition = !anytrue([for line in local.release.too_old : startswith(local.installed, "${line}.")])
      error_message = join(" ", [
        "Installed is Slipway ${local.installed}. Release ${local.release.version} cannot read requests that wait since then.",
        "Apply the last release of ${local.release.previous} first (docs/upgrade.md).",
      ])
    }
  }
}
