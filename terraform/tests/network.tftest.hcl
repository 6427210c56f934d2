mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  account   = { id = "111122223333", region = "eu-west-1", partition = "aws" }
  name      = "slipway"
  cidr      = "10.90.0.0/24"
  endpoints = true
  key_arn   = "arn:aws:kms:eu-west-1:111122223333:key/slipway"
  logs      = { prefix = "/aws", retention_days = 90 }
  roles     = { path = "/", suffix = "", permissions_boundary_arn = "arn:aws:iam::111122223333:policy/boundary" }
}

run "the_network_has_no_route_to_the_internet" {
  command = plan

  module {
    source = "./modules/network"
  }

  assert {
    condition     = [for subnet in aws_subnet.private : subnet.cidr_block] == ["10.90.0.0/26", "10.90.0.64/26", "10.90.0.128/26"]
    error_message = "Each zone has a subnet."
  }

  assert {
    condition     = length(aws_nat_gateway.this) == 0 && length(aws_internet_gateway.this) == 0 && length(aws_subnet.public) == 0
    error_message = "The VPC has no gateway."
  }

  assert {
    condition     = toset(keys(aws_vpc_endpoint.interface)) == toset(["lambda", "secretsmanager", "sts"]) && length(aws_vpc_endpoint.s3) == 1
    error_message = "On-demand pollers can reach the four services that they need."
  }

  assert {
    condition = alltrue([
      for rule in concat(aws_vpc_security_group_ingress_rule.brokers, aws_vpc_security_group_ingress_rule.endpoints, aws_vpc_security_group_egress_rule.group) :
      rule.cidr_ipv4 == null && rule.cidr_ipv6 == null
    ])
    error_message = "Only members of the group reach each other."
  }

  assert {
    condition     = aws_flow_log.this[0].traffic_type == "REJECT" && aws_cloudwatch_log_group.flow_log[0].kms_key_id == var.key_arn && aws_iam_role.flow_log[0].permissions_boundary == var.roles.permissions_boundary_arn
    error_message = "Rejected traffic is logged with encryption, by a role with the boundary."
  }

  assert {
    condition     = length(aws_default_security_group.this) == 1
    error_message = "The default security group has no rules."
  }
}

run "subnets_are_in_zones_by_id" {
  command = plan

  module {
    source = "./modules/network"
  }

  assert {
    condition     = aws_subnet.private[*].availability_zone_id == ["euw1-az1", "euw1-az2", "euw1-az3"]
    error_message = "Subnets use zone ids: a zone's name differs between accounts."
  }
}

run "subnets_avoid_zones_that_msk_refuses" {
  command = plan

  module {
    source = "./modules/network"
  }

  variables {
    account = { id = "111122223333", region = "us-east-1", partition = "aws" }
    nat     = true
  }

  override_data {
    target = data.aws_availability_zones.available[0]
    values = { zone_ids = ["use1-az6", "use1-az3", "use1-az2", "use1-az4"] }
  }

  assert {
    condition     = aws_subnet.private[*].availability_zone_id == ["use1-az2", "use1-az4", "use1-az6"] && aws_subnet.public[0].availability_zone_id == "use1-az2"
    error_message = "Client subnets of MSK cannot be in use1-az3."
  }
}

run "a_region_of_two_zones_gets_two_subnets" {
  command = plan

  module {
    source = "./modules/network"
  }

  variables {
    account = { id = "111122223333", region = "us-west-1", partition = "aws" }
  }

  override_data {
    target = data.aws_availability_zones.available[0]
    values = { zone_ids = ["usw1-az3", "usw1-az1"] }
  }

  assert {
    condition     = aws_subnet.private[*].availability_zone_id == ["usw1-az1", "usw1-az3"] && length(aws_route_table_association.private) == 2
    error_message = "Each zone has a subnet."
  }
}

run "us_west_1_gets_two_subnets_in_any_case" {
  command = plan

  module {
    source = "./modules/network"
  }

  variables {
    account = { id = "111122223333", region = "us-west-1", partition = "aws" }
  }

  override_data {
    target = data.aws_availability_zones.available[0]
    values = { zone_ids = ["usw1-az4", "usw1-az3", "usw1-az1"] }
  }

  assert {
    condition     = length(aws_subnet.private) == 2
    error_message = "MSK accepts exactly two subnets in us-west-1."
  }
}

run "a_region_with_one_usable_zone_is_refused" {
  command = plan

  module {
    source = "./modules/network"
  }

  override_data {
    target = data.aws_availability_zones.available[0]
    values = { zone_ids = ["use1-az3", "use1-az1"] }
  }

  expect_failures = [data.aws_availability_zones.available[0]]
}

run "the_flow_log_may_find_its_group" {
  command = plan

  module {
    source = "./modules/network"
  }

  assert {
    condition = {
      for statement in data.aws_iam_policy_document.flow_log[0].statement : one(statement.actions) => one(statement.resources) if statement.sid == "FindLogGroup"
    } == { "logs:DescribeLogGroups" = "arn:aws:logs:eu-west-1:111122223333:log-group:*" }
    error_message = "The role may describe log groups, which the service does before it writes."
  }
}

run "provisioned_pollers_need_no_endpoints" {
  command = plan

  module {
    source = "./modules/network"
  }

  variables {
    endpoints = false
  }

  assert {
    condition     = length(aws_vpc_endpoint.interface) == 0 && length(aws_vpc_endpoint.s3) == 0 && length(aws_vpc_security_group_egress_rule.s3) == 0
    error_message = "No endpoint is created, because each one costs by the hour."
  }
}

run "a_mirror_has_one_nat_gateway" {
  command = plan

  module {
    source = "./modules/network"
  }

  variables {
    nat = true
  }

  assert {
    condition     = length(aws_nat_gateway.this) == 1 && aws_route.nat[0].destination_cidr_block == "0.0.0.0/0" && aws_subnet.public[0].cidr_block == "10.90.0.192/28"
    error_message = "The VPC has one NAT gateway, in a subnet of the remaining quarter."
  }
}

run "an_existing_network_gets_only_the_group" {
  command = plan

  module {
    source = "./modules/network"
  }

  variables {
    nat      = true
    existing = { vpc_id = "vpc-a", subnet_ids = ["subnet-a", "subnet-b"], security_group_id = null }
  }

  assert {
    condition = (
      length(aws_vpc.this) + length(aws_subnet.private) + length(aws_vpc_endpoint.interface) + length(aws_nat_gateway.this) + length(aws_flow_log.this) == 0 &&
      aws_security_group.kafka[0].vpc_id == "vpc-a" && output.subnet_ids == tolist(["subnet-a", "subnet-b"])
    )
    error_message = "Routes and flow log of an existing VPC are unchanged."
  }
}

run "an_existing_group_is_unchanged" {
  command = plan

  module {
    source = "./modules/network"
  }

  variables {
    existing = { vpc_id = "vpc-a", subnet_ids = ["subnet-a", "subnet-b"], security_group_id = "sg-a" }
  }

  assert {
    condition     = output.security_group_id == "sg-a" && length(aws_security_group.kafka) == 0 && length(aws_vpc_security_group_ingress_rule.brokers) == 0
    error_message = "The group gets no rules."
  }
}
