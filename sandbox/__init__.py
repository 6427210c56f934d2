"""The sandbox: AWS, Port and GitHub for Slipway, on one machine and without an account."""
