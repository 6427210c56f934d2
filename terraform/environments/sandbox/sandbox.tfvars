# The installation on one machine. What only the running sandbox knows comes as -var or -var-file beside
# this file: port, github, kafka with its bootstrap_servers, functions with the host's architecture, and
# the three credentials.
name_prefix         = "slipway"
deletion_protection = false
features            = { records_lifecycle = false }
tags                = { Environment = "sandbox" }
