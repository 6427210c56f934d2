# By id, which means the same zone in every account. Zones that AWS adds later do not move the
# subnets, as explained there.
data "aws_availability_zones" "available" {
  # checkov:skip=CKV_AWS_394: only the first three are taken, and subnets that exist keep theirs
  count = var.existing == null ? 1 : 0

  state = "available"

  filter {
    name   = "opt-in-status"
    values = ["opt-in-not-required"]
  }

  lifecycle {
    postcondition {
      condition     = length(setsubtract(self.zone_ids, local.excluded_zone_ids)) >= 2
      error_message = "The region has fewer than two zones in which MSK places brokers. Choose another region, or set your own subnets in the variable network."
    }
  }
}

locals {
  # Old zones lack newer instance types: MSK refuses the first, EKS all three.
  # https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-msk-cluster-brokernodegroupinfo.html
  # https://docs.aws.amazon.com/eks/latest/userguide/network-reqs.html
  excluded_zone_ids = ["use1-az3", "usw1-az2", "cac1-az3"]

  # MSK needs two or three subnets, in us-west-1 exactly two.
  # https://docs.aws.amazon.com/msk/latest/developerguide/msk-create-cluster.html
  most_zones = var.account.region == "us-west-1" ? 2 : 3

  made     = var.existing == null
  zone_ids = sort(setsubtract(flatten(data.aws_availability_zones.available[*].zone_ids), local.excluded_zone_ids))
  zones    = slice(local.zone_ids, 0, min(local.most_zones, length(local.zone_ids)))

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

# Without rules: a resource in the VPC without its own group has no connections.
resource "aws_default_security_group" "this" {
  count = local.made ? 1 : 0

  vpc_id = aws_vpc.this[0].id

  tags = { Name = "${var.name}-default" }
}

# Private: no gateway to the Internet, in or out, except for the optional NAT gateway.
resource "aws_subnet" "private" {
  count = length(local.zones)

  vpc_id               = aws_vpc.this[0].id
  cidr_block           = cidrsubnet(var.cidr, 2, count.index)
  availability_zone_id = local.zones[count.index]

  tags = { Name = "${var.name}-private-${count.index + 1}" }

  lifecycle {
    ignore_changes = [availability_zone_id]
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
