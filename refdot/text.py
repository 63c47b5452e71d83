"""Format values, names and counts as text on one line."""

from collections.abc import Iterable, Sequence

__all__ = [
    "caseless",
    "counted",
    "did_you_mean",
    "extra_hint",
    "json_text",
    "listed",
    "named",
    "nearest_name",
    "one_line",
    "printable",
    "shortened",
    "text_width",
    "told_apart",
    "wrapped",
]


def named(noun: str, names: Sequence[str]) -> str:
    """Return names after a noun, which is in the plural if there are several.

    Examples
    --------
    >>> named("backend", ["c"]), named("backend", ["c", "numba"])
    ('backend c', 'backends c, numba')
    """
    return f"{noun}{'' if len(names) == 1 else 's'} {', '.join(names)}"


def one_line(value: object) -> str:
    """Return the `repr` of a value on one line, with the members of sets sorted."""
    if isinstance(value, set | frozenset) and value:
        return "{" + ", ".join(sorted(map(one_line, value))) + "}"
    if type(value) is tuple:
        return f"({', '.join(map(one_line, value))}{',' if len(value) == 1 else ''})"
    if type(value) is list:
        return f"[{', '.join(map(one_line, value))}]"
    return " ".join(repr(value).split())


def nearest_name(name: str, names: Sequence[str]) -> str | None:
    """Return the member of `names` that is spelled most like `name`, if one is close enough.

    Examples
    --------
    >>> nearest_name("TIME", ["embd", "time"])
    'time'
    """
    from difflib import get_close_matches  # slow to import, and only an error needs it

    by_form = {caseless(other): other for other in names}
    nearest = get_close_matches(caseless(name), by_form, n=1)
    return by_form[nearest[0]] if nearest else None


def caseless(name: str) -> str:
    """Return a name in the one form of all names that differ only in case or in Unicode form.

    Examples
    --------
    >>> caseless("Caf\N{LATIN SMALL LETTER E}\N{COMBINING ACUTE ACCENT}") == caseless("café")
    True
    """
    from unicodedata import normalize

    return normalize("NFKC", normalize("NFKC", name).casefold())


def told_apart(name: str, other: str) -> tuple[str, str]:
    r"""Return two names as they print, or in ASCII if they look alike.

    Examples
    --------
    >>> told_apart("é", "e"), told_apart("é", "e\N{COMBINING ACUTE ACCENT}")
    (('é', 'e'), ("'\\xe9'", "'e\\u0301'"))
    """
    from unicodedata import normalize

    if normalize("NFKC", name) == normalize("NFKC", other):
        return ascii(name), ascii(other)
    return name, other


def counted(number: int, noun: str) -> str:
    """Return a number and a noun, in the plural if needed.

    Examples
    --------
    >>> counted(1, "FLOP"), counted(2048, "FLOP")
    ('1 FLOP', '2,048 FLOPs')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def listed(words: Iterable[str]) -> str:
    """Join words with commas and "and".

    Examples
    --------
    >>> listed(["c", "numba", "jax"])
    'c, numba and jax'
    """
    *others, last = words
    return f"{', '.join(others)} and {last}" if others else last


def did_you_mean(name: str, names: Sequence[str]) -> str:
    """Return the end of a message about a wrong name; empty if no name is spelled like it.

    Examples
    --------
    >>> did_you_mean("TIME", ["embd", "time"])
    '; did you mean time?'
    """
    nearest = nearest_name(name, names)
    return f"; did you mean {told_apart(nearest, name)[0]}?" if nearest else ""


def extra_hint(*extras: str, package: str = "refdot") -> str:
    """Return how to install the extras of a package. refdot itself is installed from a clone.

    Examples
    --------
    >>> print(extra_hint("check"))
    python -m pip install "path/to/refdot[check]"
    """
    place = "path/to/refdot" if package == "refdot" else package
    return f'python -m pip install "{place}[{",".join(extras)}]"'


def shortened(text: str, limit: int = 300) -> str:
    """Replace the middle of a long text with an ellipsis."""
    return text if len(text) <= limit else f"{text[: limit - 60]} … {text[-50:]}"


def printable(text: str) -> str:
    r"""Return a text on one line, with all characters that cannot be printed escaped.

    Names and messages come from elsewhere. As they are, they could move the cursor, forge a line
    of the output, or stop it: a lone surrogate has no encoding. An escaped text stays the same.

    Examples
    --------
    >>> print(printable("time\n\x1b[2J"))
    time\n\x1b[2J
    """
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in text)


def json_text(data: object) -> str:
    r"""Return data as JSON on several lines, with all characters that cannot be printed escaped.

    Examples
    --------
    >>> print(json_text({"é": "\u202eb"}))
    {
      "é": "\u202eb"
    }
    <BLANKLINE>
    """
    import json  # only files and `--json` need it

    def escaped(line: str) -> str:
        return "".join(each if each.isprintable() else json.dumps(each)[1:-1] for each in line)

    lines = json.dumps(data, indent=2, ensure_ascii=False).split("\n")
    return "".join(f"{line if line.isprintable() else escaped(line)}\n" for line in lines)


def text_width(text: str) -> int:
    """Return the number of columns that a text takes in a monospaced font.

    Examples
    --------
    >>> text_width("time"), text_width("時間")
    (4, 4)
    """
    # Imported here so that `import refdot` is quicker: only displays need it.
    from unicodedata import east_asian_width

    return sum(2 if east_asian_width(character) in "WF" else 1 for character in text)


def wrapped(line: str, width: int) -> list[str]:
    r"""Wrap a line; the parts that follow begin below its last column.

    Examples
    --------
    >>> print(*wrapped("   expected  Size of dim 'a' does not match", 31), sep="\n")
       expected  Size of dim 'a'
                 does not match
    """
    # Imported here so that `import refdot` is quicker: only displays need them.
    import re
    from textwrap import wrap

    margin = len(line) - len(line.lstrip())
    columns = re.match(r"\s*([-+] )?(\S+ {2,})*", line)
    indent = columns.end() if columns else 0
    if not margin < indent <= width // 2:
        indent = margin + 3
    return wrap(
        line,
        width,
        subsequent_indent=" " * indent,
        break_long_words=False,
        break_on_hyphens=False,
    ) or [""]
