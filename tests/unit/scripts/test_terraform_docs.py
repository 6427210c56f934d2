"""`scripts/terraform_docs`: what it reads from code, and that it reports stale READMEs."""

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from scripts import terraform_docs

CODE = """
variable "kafka" {
  description = <<-EOT
    Where records come from.
    mode: `external` or
      `msk`.
    a, b: both.
  EOT
  type = object({
    mode = optional(string, "a,b{}")
    more = optional(object({ list = optional(list(string), []) }), {})
  })
  default = {}
}

variable "password" {
  description = "Of \\"everybody\\"."
  type        = string
  ephemeral   = true
}

variable "zones" {
  description = "Where."
  type        = list(string)
  default     = ["a", "b"]
}

resource "aws_route" "one" {}
resource "aws_route" "two" {}

output "arn" {
  description = "The ARN."
  value       = 1
}
"""
WANTED = """# root

Head.

<!-- What follows is written by scripts/terraform_docs: change the code instead. -->

## Inputs

### `kafka`

Default `{}`

Where records come from.

* `mode`: `external` or
  `msk`.
* `a`, `b`: both.

```hcl
object({
  mode = optional(string, "a,b{}")
  more = optional(object({
    list = optional(list(string), [])
  }), {})
})
```

### `password`

`string`, required, ephemeral

Of "everybody".

### `zones`

`list(string)`, default `["a", "b"]`

Where.

## Outputs

* `arn`: The ARN.

## Resources

`aws_route.one`, `aws_route.two`
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    (root / "modules" / "one").mkdir(parents=True)
    (root / "main.tf").write_text(CODE)
    (root / "README.md").write_text("# root\n\nHead.\n")
    return root


def run(root: Path, *arguments: str) -> int:
    app = typer.Typer()
    app.command()(terraform_docs.main)
    return CliRunner().invoke(app, ["--root", str(root), *arguments]).exit_code


def test_readme_describes_the_terraform_code(root: Path) -> None:
    assert run(root) == 0

    assert (root / "README.md").read_text() == WANTED
    assert (root / "modules/one/README.md").read_text().startswith("# one\n\n<!--")


def test_check_reports_changed_code_and_writes_nothing(
    root: Path,
) -> None:
    run(root)
    assert run(root, "--check") == 0

    (root / "main.tf").write_text(CODE.replace("The ARN.", "Another ARN."))

    assert run(root, "--check") == 1
    assert (root / "README.md").read_text() == WANTED


def test_handwritten_text_stays_when_documented_again(root: Path) -> None:
    run(root)
    (root / "README.md").write_text(WANTED.replace("Head.", "Another head."))

    run(root)

    assert (root / "README.md").read_text() == WANTED.replace("Head.", "Another head.")
