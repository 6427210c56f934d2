"""Load, check and plan from a company's kinds and actions. No I/O.

* `loading.load_catalog`: files → `model.Catalog`; `check.check_catalog`: all faults of a catalog.
* `request.find_target`: a run's request → its entity, inputs and repository.
* `planning.make_plan`: target, request and files of the base branch → the change.
* `entities.read_entity`: files of the base branch → what Port shows; `addresses.health_url`.

`documents` is the editor of YAML and JSON text. docs/catalog.md describes the format.
"""
