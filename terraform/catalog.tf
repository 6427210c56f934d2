# The catalog: its names and its JSON are read here. Its YAML is read by the functions, and first by check_catalog, which
# an apply calls before it changes any function (docs/catalog.md).
locals {
  # In a checkout the shipped catalog is beside this folder, in a release's archive it is in it.
  shipped_catalogs = [for folder in ["${path.module}/../catalog", "${path.module}/catalog"] : folder if length(fileset(folder, "*/resource.yaml")) > 0]
  catalog_dir      = coalesce(var.catalog_dir, concat(local.shipped_catalogs, ["${path.module}/../catalog"])[0])

  # Where an action's form is; its folder's name is the action's. One name in two kinds is refused below.
  action_files = { for file in sort(fileset(local.catalog_dir, "*/*/action.json")) : basename(dirname(file)) => "${local.catalog_dir}/${file}"... }
  actions = {
    for name, files in local.action_files : name => {
      description = try(jsondecode(file(files[0])).description, name)
      operation   = try(jsondecode(file(files[0])).trigger.operation, "")
    }
  }
  # Port's operation → the actions that are of it.
  actions_of = {
    for operation in ["CREATE", "DAY-2", "DELETE"] : operation => [for name, action in local.actions : name if action.operation == operation]
  }

  # The blueprints whose health Slipway writes: no other has this property (see HEALTH_PROPERTIES in slipway.catalog.model).
  blueprints = [for file in sort(fileset(local.catalog_dir, "*/blueprint.json")) : jsondecode(file("${local.catalog_dir}/${file}"))]
  health_blueprints = [
    for blueprint in local.blueprints : blueprint.identifier if can(blueprint.schema.properties.health_check_id)
  ]

  # Functions that are not of an action; an action of such a name would take a function's place.
  reserved_names = ["approval", "check_catalog", "health_checker", "probe_health", "receive_webhook", "remediation", "report_pull_request", "sweep_runs"]
  # A role's name has at most 64 characters, and may end with the region's.
  # https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html
  refused_names = [
    for name, files in local.action_files : name
    if !can(regex("^[a-z]+(_[a-z0-9]+)*$", name)) || length(name) > 39 || contains(local.reserved_names, name) || length(files) > 1
  ]
}
