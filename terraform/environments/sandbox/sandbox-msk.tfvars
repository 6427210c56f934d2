# As sandbox.tfvars, but the records come from a cluster in the sandbox's MSK that the stack makes. The
# other name lets both installations live in one sandbox.
name_prefix         = "slipway-msk"
deletion_protection = false
features            = { records_lifecycle = false }
tags                = { Environment = "sandbox" }

kafka = {
  mode           = "msk"
  authentication = "SCRAM"
  create         = { type = "provisioned" }
}
