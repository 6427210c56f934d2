data "aws_region" "current" {}

# Zones that AWS adds later do not move the subnets: see there.
data "aws_availability_zones" "available" {
  # checkov:skip=CKV_AWS_394: only the first three are taken, and subnets that exist keep theirs
  count = var.existing == null ? 1 : 0

  state = "available"

  filter {
    name   = "opt-in-status"
    values = ["opt-in-not-required"]
  }
}

locals {
  made  = var.existing == null
  zones = local.made ? slice(data.aws_availability_zones.available[0].names, 0, 3) : []

  vpc_id     = local.made ? aws_vpc.this[0].id : var.existing.vpc_id
  subnet_ids = local.made ? aws_subnet.private[*].id : var.existing.subnet_ids
}

resource "aws_vpc" "this" {
  count = local.made ? 1 : 0

  cidr_block           = var.cidr
  enable_dns_support   = true
  enable_dns_hostnames = true

  tags = { Name = var.name }
}

# Without rules: whatever is put into the VPC without a group of its own reaches nothing.
resource "aws_default_security_group" "this" {
  count = local.made ? 1 : 0

  vpc_id = aws_vpc.this[0].id

  tags = { Name = "${var.name}-default" }
}

# Private: no gateway to the Internet, in or out, but for the NAT gateway where one is asked for.
resource "aws_subnet" "private" {
  count = length(local.zones)

  vpc_id            = aws_vpc.this[0].id
  cidr_block        = cidrsubnet(var.cidr, 2, count.index)
  availability_zone = local.zones[count.index]

  tags = { Name = "${var.name}-${local.zones[count.index]}" }

  lifecycle {
    ignore_changes = [availability_zone]
  }
}

resource "aws_route_table" "private" {
  count = local.made ? 1 : 0

  vpc_id = aws_vpc.this[0].id

  tags = { Name = var.name }
}

resource "aws_route_table_association" "private" {
  count = length(local.zones)

  subnet_id      = aws_subnet.private[count.index].id
  route_table_id = aws_route_table.private[0].id
}
