"""The cluster that runs the services: follows the services repository as Argo CD would."""
