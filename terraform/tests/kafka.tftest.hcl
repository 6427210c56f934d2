mock_provider "aws" {
  source = "./tests/mocks"
}

run "a_provisioned_cluster_speaks_tls_to_those_with_an_access_list" {
  command = plan

  module {
    source = "./modules/kafka"
  }

  variables {
    name               = "slipway"
    subnet_ids         = ["subnet-a", "subnet-b", "subnet-c"]
    security_group_id  = "sg-a"
    log_retention_days = 90
    settings = {
      type                 = "provisioned"
      kafka_version        = "3.8.x"
      broker_instance_type = "kafka.m7g.large"
      brokers_per_zone     = 1
      volume_gib           = 50
    }
  }

  assert {
    condition = (
      aws_msk_cluster.this[0].encryption_info[0].encryption_in_transit[0].client_broker == "TLS" &&
      aws_msk_cluster.this[0].client_authentication[0].sasl[0].scram && aws_msk_cluster.this[0].client_authentication[0].sasl[0].iam
    )
    error_message = "TLS, and nobody without a name."
  }

  assert {
    condition     = strcontains(aws_msk_configuration.this[0].server_properties, "allow.everyone.if.no.acl.found = false") && strcontains(aws_msk_configuration.this[0].server_properties, "auto.create.topics.enable = false")
    error_message = "No topic and no right comes by itself."
  }

  assert {
    condition     = aws_msk_cluster.this[0].number_of_broker_nodes == 3 && length(aws_msk_serverless_cluster.this) == 0
    error_message = "A broker per zone."
  }
}

run "the_network_has_no_way_to_the_internet" {
  command = plan

  module {
    source = "./modules/network"
  }

  variables {
    name      = "slipway"
    cidr      = "10.90.0.0/24"
    endpoints = true
  }

  assert {
    condition     = [for subnet in aws_subnet.private : subnet.cidr_block] == ["10.90.0.0/26", "10.90.0.64/26", "10.90.0.128/26"]
    error_message = "A subnet per zone."
  }

  assert {
    condition     = toset(keys(aws_vpc_endpoint.interface)) == toset(["lambda", "secretsmanager", "sts"]) && length(aws_vpc_endpoint.s3) == 1
    error_message = "Pollers on demand reach the four services that they need."
  }

  assert {
    condition = alltrue([
      for rule in [aws_vpc_security_group_ingress_rule.brokers, aws_vpc_security_group_ingress_rule.endpoints, aws_vpc_security_group_egress_rule.group] :
      rule.cidr_ipv4 == null && rule.cidr_ipv6 == null
    ])
    error_message = "Only members of the group reach each other."
  }
}

run "pollers_of_its_own_need_no_endpoints" {
  command = plan

  module {
    source = "./modules/network"
  }

  variables {
    name      = "slipway"
    cidr      = "10.90.0.0/24"
    endpoints = false
  }

  assert {
    condition     = length(aws_vpc_endpoint.interface) == 0 && length(aws_vpc_endpoint.s3) == 0
    error_message = "Each endpoint costs by the hour."
  }
}
