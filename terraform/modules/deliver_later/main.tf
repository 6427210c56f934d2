module "machine" {
  source = "../state_machine"

  account   = var.account
  name      = var.name
  role_name = var.name
  template  = "${path.module}/definition.asl.json"
  values    = { runs_table = var.runs_table.name, records_bucket = var.records_bucket.name }
  statements = [
    {
      sid       = "ReadRun"
      actions   = ["dynamodb:GetItem"]
      resources = [var.runs_table.arn]
    },
    {
      sid       = "Deliver"
      actions   = ["lambda:InvokeFunction"]
      resources = var.function_alias_arns
    },
    {
      sid       = "ReadRecord"
      actions   = ["s3:GetObject"]
      resources = ["${var.records_bucket.arn}/later/*"]
    },
    {
      sid       = "HoldRecord"
      actions   = ["s3:PutObject"]
      resources = ["${var.records_bucket.arn}/held/*"]
    },
    {
      sid       = "UseKeyOfRecords"
      actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
      resources = [var.records_bucket.key_arn]
      conditions = [{
        test     = "StringEquals"
        variable = "kms:ViaService"
        values   = ["s3.${var.account.region}.amazonaws.com"]
      }]
    },
  ]
  function_timeout_seconds = var.function_timeout_seconds
  logs_data                = true # run ids and times; the record itself stays in S3
  key_arn                  = var.key_arn
  logs                     = var.logs
  roles                    = var.roles
}
