"""Approve changes: who must decide before a change is made, and how."""
