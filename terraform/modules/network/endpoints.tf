# Services that an on-demand event source mapping calls from the cluster's subnets.
# https://docs.aws.amazon.com/lambda/latest/dg/with-msk-cluster-network.html
locals {
  endpoints = local.made && var.endpoints
}

resource "aws_vpc_endpoint" "interface" {
  for_each = toset(local.endpoints ? ["lambda", "secretsmanager", "sts"] : [])

  vpc_id              = aws_vpc.this[0].id
  service_name        = "com.amazonaws.${var.account.region}.${each.key}"
  vpc_endpoint_type   = "Interface"
  subnet_ids          = aws_subnet.private[*].id
  security_group_ids  = [aws_security_group.kafka[0].id]
  private_dns_enabled = true

  tags = { Name = "${var.name}-${each.key}" }
}

resource "aws_vpc_endpoint" "s3" {
  count = local.endpoints ? 1 : 0

  vpc_id            = aws_vpc.this[0].id
  service_name      = "com.amazonaws.${var.account.region}.s3"
  vpc_endpoint_type = "Gateway"
  route_table_ids   = [aws_route_table.private[0].id]

  tags = { Name = "${var.name}-s3" }
}
