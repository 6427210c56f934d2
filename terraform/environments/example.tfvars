# Copy this file, fill it in, and pass it with -var-file. Only `port` and `github` are required;
# variables*.tf describes all there is.

port = {
  org_id = "org_xxxxxxxxxxxxxxxx" # GET /v1/organization of Port's API says it
  # For an organisation in the US:
  # base_url = "https://api.us.port.io"
  # app_url  = "https://app.us.port.io"
}

github = {
  services_repo  = "acme/services"
  team_reviewers = { platform = ["team:platform"] }
}

# alarm_actions = ["arn:aws:sns:eu-west-1:111122223333:platform-alarms"]
# functions     = { architecture = "x86_64", log_retention_days = 30 }
# tags          = { CostCenter = "platform" }
