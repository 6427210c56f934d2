# The group of brokers, event pollers, mirror and endpoints: they reach only each other. An event
# source mapping uses the cluster's own subnets and security groups.
# https://docs.aws.amazon.com/lambda/latest/dg/with-msk-cluster-network.html
locals {
  made_group        = try(var.existing.security_group_id, null) == null
  security_group_id = local.made_group ? aws_security_group.kafka[0].id : var.existing.security_group_id
}

resource "aws_security_group" "kafka" {
  count = local.made_group ? 1 : 0

  name        = "${var.name}-kafka"
  description = "Kafka brokers and those who read from them"
  vpc_id      = local.vpc_id

  tags = { Name = "${var.name}-kafka" }
}

resource "aws_vpc_security_group_ingress_rule" "brokers" {
  count = local.made_group ? 1 : 0

  description                  = "Brokers by SASL/SCRAM and IAM"
  security_group_id            = aws_security_group.kafka[0].id
  referenced_security_group_id = aws_security_group.kafka[0].id
  ip_protocol                  = "tcp"
  from_port                    = 9096
  to_port                      = 9098
}

resource "aws_vpc_security_group_ingress_rule" "endpoints" {
  count = local.made_group ? 1 : 0

  description                  = "Endpoints of AWS services"
  security_group_id            = aws_security_group.kafka[0].id
  referenced_security_group_id = aws_security_group.kafka[0].id
  ip_protocol                  = "tcp"
  from_port                    = 443
  to_port                      = 443
}

resource "aws_vpc_security_group_egress_rule" "group" {
  count = local.made_group ? 1 : 0

  description                  = "Brokers and endpoints"
  security_group_id            = aws_security_group.kafka[0].id
  referenced_security_group_id = aws_security_group.kafka[0].id
  ip_protocol                  = "-1"
}

resource "aws_vpc_security_group_egress_rule" "s3" {
  count = local.endpoints && local.made_group ? 1 : 0

  description       = "Failed records by the S3 endpoint"
  security_group_id = aws_security_group.kafka[0].id
  prefix_list_id    = aws_vpc_endpoint.s3[0].prefix_list_id
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}
