# The changes of services that people ask for in Port: an action is one entry here, with what its function does. All else
# follows: the function that reads the action's runs, its role, what the sweep knows, what the policy may name.
locals {
  actions = {
    create_service    = "Opens the pull request for a new service"
    delete_service    = "Removes a service by a pull request"
    downscale_service = "Lowers a service's replicas by a pull request"
    upscale_service   = "Raises a service's replicas by a pull request"
  }
}
