"""Approvals: who must agree to a change before it is made, and what they said."""
