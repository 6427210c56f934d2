"""What the workflow `slipway-report.yml` runs. Python's standard library only, 3.11 or later."""
