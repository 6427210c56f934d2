"""The function `report_pull_request`."""
