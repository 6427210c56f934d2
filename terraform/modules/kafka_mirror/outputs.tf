output "connector_name" {
  description = "The connector's name, as CloudWatch's metrics have it."
  value       = aws_mskconnect_connector.this.name
}
