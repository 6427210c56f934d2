"""One number in a text: found, and changed alone."""

import pytest
from slipway.actions.number_edit import find_number
from slipway.errors import UserError


def change(path: str, text: str) -> str:
    """The text with the number 7 for `replicas`."""
    return find_number(path, "replicas", text).replaced_by(7)


@pytest.mark.parametrize(
    "text",
    [
        '{"replicas":2}',
        '{\r\n\t"replicas" :\r\n\t2\r\n}\r\n',
        '\ufeff{"replicas": 2}\n',
        '{"a": {"replicas": 3, "x": [1, {"replicas": 4}]}, "replicas": 2, "z": "replicas: 5"}',
        '{"repl\\u0069cas": 2}',
        '{"a": "é😀\\"}", "replicas": 2}',
        ' {"x": 1e400, "replicas": 2}   ',
    ],
)
def test_given_json_when_changed_then_all_else_stays(text: str) -> None:
    assert change("v.json", text) == text[::-1].replace("2", "7", 1)[::-1]


@pytest.mark.parametrize(
    "text",
    [
        "replicas: 2",
        "replicas: 2\n",
        "\ufeff# ours\r\nreplicas:   2   # many\r\nb:  'x'\r\n",
        "a:\n      replicas: 3\n      b: [1]\nreplicas:\n   2\n",
        "{a: 1, replicas: 2, b: {replicas: 3}}\n",
        '"replicas": 2\n',
        "? replicas\n: 2\n",
        "%YAML 1.1\n---\nreplicas: 2\n...\n# end\n",
        "t: |\n  replicas: 3\n\nreplicas: 2\n",
        "base: &base {cpu: 1}\nw: {<<: *base}\nreplicas: 2\n",
        "<<: {replicas: 3}\nreplicas: 2\n",
        "é: 😀\nreplicas: 2\n",
        "nan: .nan\nreplicas: 2\n",
    ],
)
def test_given_yaml_when_changed_then_all_else_stays(text: str) -> None:
    assert change("v.yaml", text) == text.replace(" 2", " 7")


@pytest.mark.parametrize(
    ("path", "text", "said"),
    [
        ("v.json", "", "it is not valid JSON at line 1, column 1"),
        ("v.json", "[2]", "it must be an object, not a list"),
        ("v.json", "{}", "it has no 'replicas' at its top level"),
        ("v.json", '{"a": {"replicas": 2}}', "it has no 'replicas' at its top level"),
        ("v.json", '{"replicas": 2, "replicas": 2}', "it has 'replicas' 2 times"),
        ("v.json", '{"replicas": "2"}', "not a plain whole number"),
        ("v.json", '{"replicas": 2.0}', "not a plain whole number"),
        ("v.json", '{"replicas": -1}', "not a plain whole number"),
        ("v.json", '{"replicas": true}', "not a plain whole number"),
        ("v.json", '{"replicas": 12345678901}', "not a plain whole number"),
        ("v.json", '{"replicas": {"a": 1}}', "not a plain whole number"),
        ("v.json", f'{{"replicas": {"9" * 5000}}}', "of reasonable depth and numbers"),
        ("v.json", '{"a": ' + "[" * 40 + "]" * 40 + "}", "at most 40 levels deep"),
        ("v.json", "[" * 200_000, "of reasonable depth"),
        ("v.json", '{"a": "' + "x" * 262_144 + '"}', "at most 256 KiB"),
        ("v.yaml", "", "it has no 'replicas' at its top level"),
        ("v.yaml", "- replicas: 2\n", "it must be an object, not a list"),
        ("v.yaml", "a: 1\n  b: 2\n", "it is not valid YAML at line 2"),
        ("v.yaml", "replicas: 2\nreplicas: 3\n", "found duplicate key"),
        ("v.yaml", "replicas: 2\n---\nreplicas: 3\n", "must be one YAML document"),
        ("v.yaml", "a: &a {replicas: 2}\n<<: *a\n", "it has no 'replicas' at its top level"),
        ("v.yaml", "replicas: '2'\n", "not a plain whole number"),
        ("v.yaml", "replicas:\n", "not a plain whole number"),
        ("v.yaml", "replicas: {{ .Values.n }}\n", "not a plain whole number"),
        ("v.yaml", "replicas: 2 + 1\n", "not a plain whole number"),
        ("v.yaml", "replicas: 010\n", "not a plain whole number"),
        ("v.yaml", "replicas: 1_0\n", "not a plain whole number"),
        ("v.yaml", "replicas: |\n  2\n", "not a plain whole number"),
        ("v.yaml", "replicas: &r 2\nb: *r\n", "not a plain whole number"),
        ("v.yaml", "b: &r 2\nreplicas: *r\n", "not a plain whole number"),
        ("v.yaml", "replicas: !!int 2\n", "must not use YAML tags"),
        ("v.yaml", "a: " + "[" * 50, "at most 40 levels deep"),
    ],
)
def test_given_no_number_that_can_be_changed_alone_when_looked_for_then_said_why(
    path: str, text: str, said: str
) -> None:
    with pytest.raises(UserError) as caught:
        find_number(path, "replicas", text)

    assert str(caught.value).startswith(f"Slipway cannot change 'replicas' in {path}: ")
    assert said in str(caught.value)
    assert "change it by a pull request of your own." in str(caught.value)


def test_given_a_number_found_elsewhere_when_replaced_then_the_second_look_refuses() -> None:
    found = find_number("v.json", "replicas", '{"replicas": 2, "other": 2}')
    elsewhere = type(found)(**{**vars(found), "start": 25, "end": 26})

    with pytest.raises(UserError, match="more than this number would change"):
        elsewhere.replaced_by(3)
