"""What an installation offers, as data. So far: the editor of its YAML and JSON documents."""
