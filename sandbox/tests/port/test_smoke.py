from sandbox.tests.port.harness import *


def test_all(catalogue):
    add_service(catalogue, "a")
    run = execute(catalogue)
    print(json.dumps(run, indent=1))
    print(json.dumps(catalogue.messages("runs"), indent=1))
    print(json.dumps(catalogue.messages("change.log"), indent=1)[:1500])
