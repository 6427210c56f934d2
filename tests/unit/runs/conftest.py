from tests.unit.runs.consuming import scene

__all__ = ["scene"]
