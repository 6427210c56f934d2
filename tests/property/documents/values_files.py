"""Write values files in the style of public Helm charts, and in worse styles.

The files imitate long `values.yaml` files: sections under banners, a comment above each key, and
examples in comments. They also have quantities, quoted templates, scripts as block scalars, and
anchors. A seed generates all content.
"""

import json
from dataclasses import dataclass
from random import Random

WORDS = [
    "api", "auth", "cache", "cluster", "config", "database", "enabled", "extra", "global", "host",
    "image", "ingress", "job", "labels", "limits", "log", "metrics", "name", "node", "pod", "port",
    "probe", "proxy", "queue", "requests", "retry", "secret", "server", "service", "storage",
    "tls",
    "token", "volume", "worker", "zone",
]  # fmt: skip
PLAIN = [
    "true", "false", "yes", "off", "on", "n", "null", "~", "0", "1", "8080", "-1", "0.5", "1.10",
    "1.4.0", "v1.2.3-rc.1", "100m", "2Gi", "250Mi", "30s", "5m0s", "0644", "0o17", "0x1F", "1_000",
    "12e3", "1.5e-3", "2021-03-01", "10:30", "1:20:30", ".5", "=", "-", "latest", "IfNotPresent",
    "quay.io/acme/api:1.2", "https://charts.example.com/x?y=1#top", "node-role.example.com/worker",
    "the customer's basket", "a, b and c", "50%", "*.example.com/x"[1:], "key=value", "a#b", "é 😀",
    "${HOME}/bin", "$(NAME)", "app-{{ .Release.Name }}", "--verbose", "?x", ":8080", "C:\\x",
]  # fmt: skip
QUOTED = [
    "''", '""', "'it''s'", '"a\\tb\\n\\"c\\""', "'tab\tinside'", '"tab\tinside"', '"0 */6 * * *"',
    '"{{ .Values.global.domain }}"', "'{{ include \"x\" . }}'", "'on'", '"1.10"', "'# no comment'",
    '"\\u00e9 \\U0001F600 \\x41"', "'a: b'", '"- x"', "'😀 é'", '"@every 1h"',
]  # fmt: skip
KEYS = [
    '"app.kubernetes.io/{}"',
    "'{}'",
    "{}.example.com/x",
    "{} words",
    "{}-x_y",
    '"{}: y"',
    "é{}",
]
ODD_KEYS = ["80{}", "1_{}", "1.{}", "'on{}'", "? {}"]
LINES = [
    "set -e", "# no comment", "[section]", "key = value", "  indented", "\tafter a tab", "",
    "{{- if .Values.enabled }}", "{{ tpl . $ }}", "a: b", "- c", "---x", "it's \"quoted\"",
    "# {", "é 😀",
]  # fmt: skip


@dataclass(frozen=True)
class ValuesFile:
    """A generated file.

    Attributes:
        head: the text before the first key.
        entries: each key of the top level with its value and its comments.
        tail: the text after the last key.
    """

    head: str
    entries: tuple[str, ...]
    tail: str

    @property
    def text(self) -> str:
        """Return the whole file."""
        return "".join([self.head, *self.entries, self.tail])


def make_values_file(seed: int, entries: int) -> ValuesFile:
    """Write a file with a number of keys at its top level."""
    return _Writer(Random(seed)).file(entries)


class _Writer:
    def __init__(self, random: Random) -> None:
        self._random = random
        self._names = 0
        self._anchors: dict[str, bool] = {}
        self._step = random.choice([2, 2, 2, 4, 8])
        self._line_break = random.choice(["\n", "\n", "\n", "\r\n"])

    def file(self, entries: int) -> ValuesFile:
        random = self._random
        mark = "\ufeff" if self._chance(0.1) else ""
        head = random.choice(
            ["", "", "# Default values.\n", "---\n", "# x: 1\n---\n", "--- # c\n\n"]
        )
        outer = "" if self._chance(0.95) else "  "
        bodies = [self._entry(outer, 0) for _ in range(entries)]
        tail = random.choice(["", "", "", "\n", "# the end\n", "...\n", "# replicas: 1\n\n"])
        if not tail and not set("|>") & set(bodies[-1]):
            tail = random.choice(["", "  # not of a block scalar\n"])
        parts = [mark + head, *bodies, tail]
        if self._chance(0.2):
            parts[-1 if tail else -2] = parts[-1 if tail else -2].removesuffix("\n")
        first, *middle, last = (part.replace("\n", self._line_break) for part in parts)
        return ValuesFile(first, tuple(middle), last)

    def _chance(self, of: float) -> bool:
        return self._random.random() < of

    def _name(self) -> str:
        self._names += 1
        return f"{self._random.choice(WORDS)}{self._names}"

    def _comment(self, indent: str) -> str:
        name = self._random.choice(WORDS)
        return indent + self._random.choice(
            [
                f"# -- The {name} of the release; it's optional\n",
                f"## @param {name}.enabled [bool] Whether to use a {name}\n{indent}##\n",
                f'# {name}:\n{indent}#   - key: "{name}"\n{indent}#     value: {{{{ .x }}}}\n',
                f"# ref: https://docs.example.com/{name}/#values: here\n",
                f"#{'=' * 20}\n{indent}# {name.title()}\n{indent}#{'=' * 20}\n\n",
            ]
        )

    def _after(self) -> str:
        return self._random.choice(["", "", "", "", " # why: 1", '   # "x"', "  ", " #"])

    def _entry(self, indent: str, depth: int, *, is_first: bool = False) -> str:
        """Write a key with its value, comments before it, and the final line break.

        Args:
            indent: the spaces before it.
            depth: how many collections are around it.
            is_first: whether it stands on the line of a dash, where no comment may precede it.
        """
        before = self._comment(indent) if self._chance(0.25) else ""
        if self._chance(0.15):
            before = "\n" + before
        key = self._name()
        if self._chance(0.15):
            key = self._random.choice(KEYS).format(key)
        elif self._chance(0.05):
            key = self._random.choice(ODD_KEYS).format(self._names)
        colon = self._random.choice([":", ":", ":", " :"])
        if key.startswith("? "):
            colon = f"\n{indent}:"
        return f"{'' if is_first else before}{indent}{key}{colon}{self._value(indent, depth)}"

    def _value(self, indent: str, depth: int) -> str:
        """Write a value with the white space before it and the line break after it."""
        kinds = [
            self._plain,
            self._plain,
            self._quoted,
            self._block_scalar,
            self._flow,
            self._nothing,
        ]
        if depth < 4:
            kinds += [self._object, self._object, self._list, self._several_lines, self._shared]
        return self._random.choice(kinds)(indent, depth)

    def _plain(self, _indent: str, _depth: int) -> str:
        space = self._random.choice([" ", " ", " ", "   "])
        return f"{space}{self._random.choice(PLAIN).strip('-') or 'x'}{self._after()}\n"

    def _quoted(self, _indent: str, _depth: int) -> str:
        return f" {self._random.choice(QUOTED)}{self._after()}\n"

    def _nothing(self, indent: str, _depth: int) -> str:
        example = f"{indent}  # {self._name()}: x\n" if self._chance(0.5) else ""
        return f"{self._after()}\n{example}"

    def _several_lines(self, indent: str, _depth: int) -> str:
        inner = indent + "  "
        return self._random.choice(
            [
                f" first words\n{inner}and more\n",
                f' "first\n{inner}second \\\n{inner}third"\n',
                f" 'first\n\n{inner}it''s # second'{self._after()}\n",
                f"\n{inner}# why\n{inner}below\n",
            ]
        )

    def _block_scalar(self, indent: str, _depth: int) -> str:
        header = self._random.choice(["|", "|-", "|+", ">", ">-", ">+", "|2", "|2-"])
        inner = indent + ("  " if "2" in header else " " * self._random.choice([2, 4]))
        lines = [self._random.choice(LINES) for _ in range(self._random.randint(0, 5))]
        if lines and "2" not in header:
            lines[0] = lines[0].strip() or "x"
        body = "".join(f"{inner}{line}".rstrip(" ") + "\n" for line in lines)
        return (
            f" {header}{self._random.choice(['', '', ' # c'])}\n{body}"
            + "\n" * self._random.choice([0, 0, 1, 2])
        )

    def _object(self, indent: str, depth: int) -> str:
        inner = indent + " " * self._step
        entries = "".join(self._entry(inner, depth + 1) for _ in range(self._random.randint(1, 3)))
        return f"{self._after()}\n{entries}"

    def _list(self, indent: str, depth: int) -> str:
        inner = indent + self._random.choice(["", "", "  ", " " * self._step])
        items = []
        for _ in range(self._random.randint(1, 3)):
            if self._chance(0.4) and depth < 3:
                entry = self._entry(f"{inner}  ", depth + 2, is_first=True)
                items.append(f"{inner}- {entry[len(inner) + 2 :]}")
                if self._chance(0.6):
                    items[-1] += self._entry(f"{inner}  ", depth + 2)
                continue
            items.append(f"{inner}-{self._value(inner, 5)}")
        return f"{self._after()}\n{''.join(items)}"

    def _flow(self, indent: str, depth: int) -> str:
        inner = indent + "    "
        a, b = (self._random.choice(["x", "1", "'on'", '"1.10"', "a b", "{}", "[]"]) for _ in "ab")
        name = self._name()
        flow = self._random.choice(
            [
                "{}", "[]", "{ }", "[ ]", f"[{a}]", f"[{a}, {b}]", f"[ {a} , {b}, ]",
                f"{{{name}: {a}}}", f"{{ {name}: {a}, b: {b} }}", f"{{{name}: , b}}",
                f"[{name}: {a}]",
                f'{{"{name}":{json.dumps(a)},"b":[1,{{"c":null}}]}}',
                f"{{\n{inner}{name}: {a}, # why\n{inner}b: {b}\n{indent}  }}",
                f"[\n{inner}{a},\n{inner}{b}, # last\n{indent}  ]",
            ]
        )  # fmt: skip
        return f" {flow}{self._after()}\n"

    def _shared(self, indent: str, depth: int) -> str:
        """Write an anchor, or an alias of one."""
        inner = indent + "  "
        whole = [name for name, is_object in self._anchors.items() if is_object]
        if self._anchors and self._chance(0.4):
            return f" *{self._random.choice(list(self._anchors))}{self._after() or ' '}\n"
        if whole and self._chance(0.6):
            bases = self._random.choice([f"*{whole[-1]}", f"[*{whole[0]}]", f"*{whole[0]} "])
            return f"\n{inner}<<: {bases}\n{inner}{self._name()}: own\n"
        name = self._name()
        value = self._random.choice([" 3\n", " 'text'\n", ""])
        self._anchors[name] = not value
        if value:
            return f" &{name}{value}"
        return f" &{name}{self._after()}\n{inner}{self._name()}: {self._random.choice(QUOTED)}\n"
