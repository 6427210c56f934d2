# The catalog: Terraform reads its names and its JSON. The functions read its YAML. An apply first
# calls check_catalog, before it changes any function (docs/catalog.md).
locals {
  # In a checkout the shipped catalog is beside this folder; in a release's archive it is inside.
  shipped_catalogs = [for folder in ["${path.module}/../catalog", "${path.module}/catalog"] : folder if length(fileset(folder, "*/resource.yaml")) > 0]
  catalog_dir      = coalesce(var.catalog_dir, concat(local.shipped_catalogs, ["${path.module}/../catalog"])[0])

  # Path of each action's form; the folder's name is the action's. A name in two kinds is refused
  # below.
  action_files = { for file in sort(fileset(local.catalog_dir, "*/*/action.json")) : basename(dirname(file)) => "${local.catalog_dir}/${file}"... }
  actions = {
    for name, files in local.action_files : name => {
      description = try(jsondecode(file(files[0])).description, name)
      operation   = try(jsondecode(file(files[0])).trigger.operation, "")
    }
  }
  # Port's operation → the actions with it.
  actions_of = {
    for operation in ["CREATE", "DAY-2", "DELETE"] : operation => [for name, action in local.actions : name if action.operation == operation]
  }

  # Only the blueprints whose health Slipway writes have this property (see HEALTH_PROPERTIES in
  # slipway.catalog.model).
  blueprints = [for file in sort(fileset(local.catalog_dir, "*/blueprint.json")) : jsondecode(file("${local.catalog_dir}/${file}"))]
  health_blueprints = [
    for blueprint in local.blueprints : blueprint.identifier if can(blueprint.schema.properties.health_check_id)
  ]

  # Functions that do not belong to an action; an action must not have such a name.
  reserved_names = ["approval", "check_catalog", "health_checker", "probe_health", "receive_webhook", "remediation", "report_pull_request", "sweep_runs"]
  # A role's name has at most 64 characters, and may end with the region's.
  # https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html
  refused_names = [
    for name, files in local.action_files : name
    if !can(regex("^[a-z]+(_[a-z0-9]+)*$", name)) || length(name) > 39 || contains(local.reserved_names, name) || length(files) > 1
  ]
}
