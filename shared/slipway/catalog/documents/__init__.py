"""Read and edit YAML and JSON; every byte outside an edit stays.

A text is parsed for the positions of its nodes, then edited as text: nothing is serialised again.
This package is the only reader of YAML in Slipway. It does no I/O.
"""

from slipway.catalog.documents.document import Document, read_document
from slipway.catalog.documents.nodes import MAX_BYTES, MAX_DEPTH, MAX_NODES
from slipway.catalog.documents.paths import join_path, parse_path

__all__ = [
    "MAX_BYTES",
    "MAX_DEPTH",
    "MAX_NODES",
    "Document",
    "join_path",
    "parse_path",
    "read_document",
]
