"""Request approvals and count decisions from every channel."""
