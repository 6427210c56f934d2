"""What Slipway reads of a service's folder."""

import base64

import pytest
from github import InputGitTreeElement
from slipway.github.folder import everything
from slipway.github.models import blob_sha

from tests.contract.github.conftest import Services
from tests.entities import named, service_files

pytestmark = pytest.mark.waits

VALUES = "replicas: 2  # für den Anfang\n"
NESTED = {
    "apps/shop/common_values.yaml": VALUES,
    "apps/shop/portData.json": '{"identifier": "shop"}\n',
    "apps/shop/charts/one/values.yaml": "a: 1\n",
    "apps/shop/charts/one/deep/er.yaml": "",
    "apps/shop2/common_values.yaml": "replicas: 9\n",
}
OURS = {path: text for path, text in NESTED.items() if path.startswith("apps/shop/")}


def test_nested_files_have_text_only_when_wanted(
    services: Services,
) -> None:
    commit = services.push({**NESTED})
    requests = services.server.count()

    folder = services.slipway.read(service_files("shop"), named("common_values.yaml"))

    assert ("shop", folder.commit) == ("shop", commit)
    assert folder.files == {path: blob_sha(text) for path, text in OURS.items()}
    assert folder.texts == {"apps/shop/common_values.yaml": VALUES}
    # Reference, folder, sub-folder, file.
    assert requests() == 4


def test_all_text_is_read_when_everything_is_wanted(services: Services) -> None:
    services.push({**NESTED})

    assert services.slipway.read(service_files("shop"), everything).texts == OURS


def test_wanted_name_is_read_in_a_subfolder(
    services: Services,
) -> None:
    services.push({**NESTED})

    folder = services.slipway.read(service_files("shop"), named("er.yaml"))

    assert folder.texts == {"apps/shop/charts/one/deep/er.yaml": ""}


def test_file_that_is_not_utf8_has_a_sha_and_no_text(
    services: Services,
) -> None:
    blob = services.github.create_git_blob(base64.b64encode(b"\xff\xfe\x00").decode(), "base64")
    services.push({"apps/shop/notes": "notes\n"})
    services.push_elements(
        [InputGitTreeElement("apps/shop/logo.png", "100644", "blob", sha=blob.sha)]
    )

    folder = services.slipway.read(service_files("shop"), everything)

    assert folder.files["apps/shop/logo.png"] == blob.sha
    assert folder.texts == {"apps/shop/notes": "notes\n"}


def test_links_and_submodules_are_files_without_text(
    services: Services,
) -> None:
    link = services.github.create_git_blob("../../README.md", "utf-8").sha
    module = "1" * 40  # a commit of another repository
    services.push_elements(
        [
            InputGitTreeElement("apps/shop/a", "100644", "blob", content="a"),
            InputGitTreeElement("apps/shop/link", "120000", "blob", sha=link),
            InputGitTreeElement("apps/shop/module", "160000", "commit", sha=module),
            InputGitTreeElement("apps/shop/below/link", "120000", "blob", sha=link),
            InputGitTreeElement("apps/shop/below/module", "160000", "commit", sha=module),
            InputGitTreeElement("apps/shop/below/run", "100755", "blob", content="#!/bin/sh\n"),
        ]
    )

    folder = services.slipway.read(service_files("shop"), everything)

    assert folder.files == {
        "apps/shop/a": blob_sha("a"),
        "apps/shop/link": link,
        "apps/shop/module": module,
        "apps/shop/below/link": link,
        "apps/shop/below/module": module,
        "apps/shop/below/run": blob_sha("#!/bin/sh\n"),
    }
    assert folder.texts == {"apps/shop/a": "a", "apps/shop/below/run": "#!/bin/sh\n"}


def test_missing_folder_is_read_as_empty(services: Services) -> None:
    commit = services.push({"apps/other/a": "a"})

    folder = services.slipway.read(service_files("shop"), everything)

    assert (folder.commit, folder.files, folder.texts) == (commit, {}, {})


def test_file_instead_of_a_folder_is_not_a_service(services: Services) -> None:
    services.push({"apps/shop": "a file\n"})

    assert services.slipway.read(service_files("shop"), everything).files == {}


def test_second_read_sees_a_change_on_main(services: Services) -> None:
    services.push({"apps/shop/a": "1"})
    services.slipway.read(service_files("shop"), everything)
    commit = services.push({"apps/shop/a": "2"})

    folder = services.slipway.read(service_files("shop"), everything)

    assert (folder.commit, folder.texts) == (commit, {"apps/shop/a": "2"})
