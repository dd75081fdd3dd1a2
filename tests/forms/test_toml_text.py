"""Each key of a TOML text is found on its line, however the text is written."""

from billing.forms.toml_text import Lines

TEXT = '''\
# a comment = with "quotes"
name = "x"   # line 2
"quoted key" = 'literal # not a comment'
long = """
one = 1
""\\"
"""
dotted.inner.key = 3

[table]
inline = { a = 1, b = [1, 2], c = { d = "}" } }
list = [
  1,  # first
  { deep = "]" },
]
[table.sub]
key = 2020-01-01
[[several]]
code = "A"
[several.of]
it = 1
[[several]]
code = "B"
[[several.nested]]
n = 1
[[several.nested]]
n = 2
last = \'\'\'it's\'\'\'
'''

WHERE = [
    (("name",), 2),
    (("quoted key",), 3),
    (("long",), 4),
    (("dotted", "inner", "key"), 8),
    (("table",), 10),
    (("table", "inline", "b", 1), 11),
    (("table", "inline", "c", "d"), 11),
    (("table", "list", 0), 13),
    (("table", "list", 1, "deep"), 14),
    (("table", "sub", "key"), 17),
    (("several", 0, "code"), 19),
    (("several", 0, "of", "it"), 21),
    (("several", 1, "code"), 23),
    (("several", 1, "nested", 0, "n"), 25),
    (("several", 1, "nested", 1, "n"), 27),
    (("several", 1, "nested", 1, "last"), 28),
    (("table", "absent"), 10),
    (("absent",), 1),
]


def test_each_key_is_on_its_line():
    lines = Lines(TEXT)
    assert [(key, lines[key]) for key, _ in WHERE] == WHERE


def test_lines_end_as_they_may():
    lines = Lines(TEXT.replace("\n", "\r\n"))
    assert [(key, lines[key]) for key, _ in WHERE] == WHERE


def test_the_text_that_is_searched_is_toml():
    import tomllib

    assert tomllib.loads(TEXT)["table"]["inline"]["c"] == {"d": "}"}
