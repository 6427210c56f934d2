variable "run_source" {
  description = <<-EOT
    How Port's runs and changes arrive. (Terraform reserves the name `source` in a call of a module.)
    mode: `kafka` reads Port's topics as `kafka` says; `webhook` takes Port's requests at `POST /port/webhook` on the API of
      reports, for organisations without topics. Each function then has a queue, and `kafka` and what belongs to it stays unset.
    throttle_rate, throttle_burst: webhook only: requests a second, and at once, before a function is called.
    concurrency: webhook only: invocations of a function that work on its queue at the same time.
    maximum_receives: webhook only: deliveries of a message before it becomes a failed record.
  EOT
  type = object({
    mode             = optional(string, "kafka")
    throttle_rate    = optional(number, 50)
    throttle_burst   = optional(number, 100)
    concurrency      = optional(number, 10)
    maximum_receives = optional(number, 3)
  })
  default  = {}
  nullable = false

  validation {
    condition     = contains(["kafka", "webhook"], var.run_source.mode)
    error_message = "run_source.mode must be \"kafka\" or \"webhook\"."
  }

  validation {
    condition = alltrue([
      for number in [var.run_source.throttle_rate, var.run_source.throttle_burst] : number >= 1 && number <= 10000 && floor(number) == number
    ])
    error_message = "run_source: throttle_rate and throttle_burst must be whole numbers from 1 to 10000."
  }

  validation {
    # https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html
    condition     = var.run_source.concurrency >= 2 && var.run_source.concurrency <= 1000 && floor(var.run_source.concurrency) == var.run_source.concurrency
    error_message = "run_source.concurrency must be a whole number from 2 to 1000, which is what Lambda takes for a queue."
  }

  validation {
    condition     = var.run_source.maximum_receives >= 1 && var.run_source.maximum_receives <= 1000 && floor(var.run_source.maximum_receives) == var.run_source.maximum_receives
    error_message = "run_source.maximum_receives must be a whole number from 1 to 1000."
  }

  validation {
    condition     = var.run_source.mode != "webhook" || (var.kafka.mode == "external" && var.kafka.bootstrap_servers == null && var.kafka_mirror == null && var.provisioned_pollers == null)
    error_message = "run_source.mode \"webhook\" reads no topic: leave kafka, kafka_mirror and provisioned_pollers unset."
  }

  validation {
    condition     = var.run_source.mode != "webhook" || var.changes.source == "automations"
    error_message = "run_source.mode \"webhook\" gets changes from automations: leave changes.source unset."
  }

  validation {
    condition     = var.run_source.mode != "webhook" || !var.workflows
    error_message = "run_source.mode \"webhook\" takes no runs of Port's Workflows: their KAFKA nodes publish on a topic. Set workflows = false."
  }
}
