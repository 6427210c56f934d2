output "connector_name" {
  description = "The connector's name in CloudWatch's metrics."
  value       = aws_mskconnect_connector.this.name
}
