"""The page of a report: its content, escaping, and behaviour in a browser."""

import re
import sys
from dataclasses import replace
from html.parser import HTMLParser
from importlib.resources import files
from itertools import product
from pathlib import Path
from xml.etree import ElementTree

import pytest
from colours import contrast

import refdot as rd
from refdot import check
from refdot.cases.case import DimArgument, DotCase, Operand
from refdot.cases.notation import dot_case
from refdot.check.findings import Coverage, Finding, Report
from refdot.check.plan import Configuration
from refdot.display import svg as diagram
from refdot.reporting.html import SIGNS, case_description, report_html
from refdot.reporting.names import reproducer_name
from refdot.rules import KINDS, RULES
from refdot.targets.callable import CallableTarget
from refdot.targets.mismatch import Deviation, Mismatch
from refdot.targets.protocol import Backend, Unsupported

ROOT = Path(__file__).parents[2]
HOSTILE = "<script>alert('&amp;')</script>"
CASE = DotCase(Operand((HOSTILE, "b"), (2, 3)), Operand(("b",), (4,), static=(True,)))
NO_LOWERING = DotCase(Operand(("a",), (1,)), Operand((), ()), DimArgument("object", (5,)))
SIZES = Mismatch("R4", "accepted-invalid", "run", "contracted", "ValueError", HOSTILE, CASE)
VALUE = Mismatch("R6", "wrong-value", "run", "float", f"1.0 at {HOSTILE}=1", "2.0", CASE)
ERROR = Mismatch("R13", "wrong-error", "build", HOSTILE, "TypeError", "KeyError", NO_LOWERING)
DEVIATION = Deviation(
    id="size-one",
    title="Size 1 broadcasts <n>.",
    rules=("R4",),
    kinds=("accepted-invalid",),
    versions=">=1",
    backends=(),
    matches=lambda mismatch, outcome: True,
    example=CASE,
    cause="einsum & its sizes.",
    upstream="https://tracker.example/1?a&b",
)


class Target(CallableTarget):
    """A function on two backends, one of them with a limit."""

    def backends(self):
        return (Backend("py"), Backend("c", unsupported=(Unsupported("c has no <complex>", bool),)))


TARGET = Target(rd.dot, "m:<dot>", version="1.2", deviations=(DEVIATION,))


def finding(mismatch, *places, known=None):
    """Return a finding that was seen once on each of these backends."""
    where = Configuration(places[0], "stock")
    return Finding(mismatch, where, list(dict.fromkeys(places)), count=len(places), known=known)


LIMITS = {"py": {"no <names>": 3}, "c": {"no <names>": 3, "c has no <complex>": 4}}
KNOWN = finding(SIZES, "py", "c", known="size-one")
FINDINGS = [KNOWN, finding(VALUE, "c", "c"), finding(ERROR, "py")]


def report_of(*findings, **fields):
    """Return a report on two backends."""
    named = {
        "target": TARGET.name,
        "target_version": TARGET.version,
        "seed": 5,
        "backends": ("py", "c"),
        "lowerings": ("stock",),
        "absent_backends": {"jax": "no <jax>"},
        "python": "3.11.9",
        "cases": 1234,
        "coverage": {"py": Coverage(1234, [(1, 1), (10, 10)]), "c": Coverage(7, [(1, 1), (2, 10)])},
        "seconds": 1.4,
        "findings": list(findings),
    }
    return Report(**(named | fields))


def page_text(report, target=TARGET, command=""):
    """Return the page of a report, with a script of hostile text for each finding."""
    scripts = {
        reproducer_name(finding): f"# {number}\n\n{HOSTILE} < 1 & 2\n"
        for number, finding in enumerate(report.findings)
    }
    return report_html(report, target, scripts, command)


class Page(HTMLParser):
    """Parses a page into a tree, and asserts that every tag is closed."""

    VOID = ("meta", "br")

    def __init__(self, text):
        super().__init__()
        self.builder, self.open = ElementTree.TreeBuilder(), []
        self.feed(text)
        self.close()
        assert self.open == []
        self.root = self.builder.close()

    def handle_starttag(self, tag, attributes):
        self.builder.start(tag, {name: value or "" for name, value in attributes})
        if tag in self.VOID:
            self.builder.end(tag)
        else:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag
        self.builder.end(tag)

    def handle_data(self, data):
        self.builder.data(data)


def read(text):
    """Parse a page."""
    return Page(text).root


def words(element):
    """Return the text of an element, without signs that screen readers skip."""
    for sign in element.iter():
        if sign.get("aria-hidden"):
            sign.text = ""
    return " ".join("".join(element.itertext()).split())


def find_by_class(root, name):
    """Return the elements of a class."""
    return [element for element in root.iter() if name in element.get("class", "").split()]


def grid(root):
    """Return the text of each cell, by rule and backend."""
    (table,) = find_by_class(root, "grid")
    heads, *rows = ([words(cell) for cell in row] for row in table.iter("tr"))
    return {
        (row[0].split()[0], backend): said
        for row in rows
        for backend, said in zip(heads[1:], row[1:], strict=True)
    }


# Structure


def test_rule_names_match_the_specification():
    headings = re.findall(r"^## (R\d+) (.*)$", (ROOT / "SPEC.md").read_text("utf-8"), re.MULTILINE)
    names = [(number, name.replace("`", "")) for number, name in headings]
    assert [(number, rule.name) for number, rule in RULES.items()] == names
    assert {kind for rule in RULES.values() for kind in rule.kinds} == {*KINDS}


@pytest.mark.parametrize("findings", [FINDINGS, []], ids=["findings", "nothing found"])
def test_every_tag_is_closed_and_every_link_has_a_target(findings):
    root = read(page_text(report_of(*findings)))
    assert root.attrib == {"lang": "en"}
    ids = [element.get("id") for element in root.iter() if "id" in element.attrib]
    assert len({*ids}) == len(ids)
    for element in root.iter():
        assert set(element.get("aria-labelledby", "").split()) <= {*ids}
    links = [link.get("href") for link in root.iter("a")]
    inner = {link.removeprefix("#") for link in links if link.startswith("#")}
    assert inner <= {*ids}
    outer = {link for link in links if not link.startswith("#")}
    scripts = {reproducer_name(finding) for finding in findings}
    assert outer == scripts | ({DEVIATION.upstream} if findings else set())


def test_page_needs_no_network():
    text = page_text(report_of(*FINDINGS)).replace('xmlns="http://www.w3.org/2000/svg"', "")
    assert not re.search(r"src=|url\(|@import|<link", text)
    address = "https://tracker.example/1?a&amp;b"
    assert re.findall(r"https?:[^\"<]*", text) == [address, address]


def test_quoted_text_is_escaped():
    root = read(page_text(report_of(*FINDINGS), command=f"refdot check {HOSTILE}"))
    assert len(list(root.iter("script"))) == 1
    articles = [words(article) for article in root.iter("article")]
    assert [HOSTILE in said for said in articles] == [True] * 3
    assert words(root.find(".//title")) == "refdot report: m:<dot> 1.2"
    assert words(root.find(".//*[@id='command']")) == f"refdot check {HOSTILE}"


# Content


VERDICTS = {
    "No mismatch in 1,234 cases.": (),
    "Only 1 known mismatch in 1,234 cases.": FINDINGS[:1],
    "1 new mismatch in 1,234 cases.": FINDINGS[1:2],
    "2 new mismatches in 1,234 cases.": FINDINGS[1:],
    "2 new mismatches and 1 known mismatch in 1,234 cases.": FINDINGS,
}


@pytest.mark.parametrize("verdict", VERDICTS)
def test_verdict(verdict):
    (said,) = find_by_class(read(page_text(report_of(*VERDICTS[verdict]))), "verdict")
    assert words(said) == verdict


def test_page_of_an_interrupted_run_says_so():
    said = "The run was interrupted; the results are incomplete."
    assert said in page_text(report_of(interrupted=True))
    assert said not in page_text(report_of())


def test_facts_about_the_run():
    root = read(page_text(report_of(), command="refdot check --seed 5"))
    (facts,) = find_by_class(root, "facts")
    numpy = sys.modules["numpy"].__version__
    assert [words(fact) for fact in facts] == [
        "targetm:<dot> 1.2",
        f"versionsPython 3.11.9, NumPy {numpy}, refdot {rd.__version__}",
        "backendspy: 1,234 cases, every dim pattern up to rank 1; "
        "c: 7 cases, 3 of 11 dim patterns (sample)",
        "loweringsstock",
        "cases1,234 judged",
        "seed5",
        "time1 s",
        "commandrefdot check --seed 5 Copy the command",
    ]


def test_not_judged_lines_have_a_reason():
    root = read(page_text(report_of(only=("values", "errors"), unsupported=LIMITS, lost=2)))
    (reasons,) = root.iter("ul")
    assert [words(reason) for reason in reasons] == [
        "backend jax (no <jax>)",
        "aspects other than values and errors",
        "8 of 11 dim patterns on c",
        "2 cases in batches that crashed too many processes",
        "nondeterminism: the target builds no graph",
        "structure: the target builds no graph",
        "resources: the target builds no graph",
        "wrong-gradient: the target has no gradient",
        "not judged on py, c: 3 cases, no <names>",
        "not judged on c: 4 cases, c has no <complex>",
    ]


def test_report_stores_the_selected_aspects():
    assert check.run(TARGET, cases=1, fixed=False, backends=["py"], only=["errors"]).only == (
        "errors",
    )


def test_not_judged_section_is_absent_without_limits():
    target = Target(rd.dot, "dot", gradients=True, unsupported=())
    target.not_checked = {}
    report = report_of(absent_backends={}, backends=("py",))
    del report.coverage["c"]
    assert "Not judged" not in page_text(report, target)
    assert set(grid(read(page_text(report, target))).values()) == {"passed"}


def test_kernels_and_rewrites_are_counted_by_backend():
    report = report_of(environment={"BLAS": "<none>", "numpy": "2.5"})
    report.coverage["py"].kernels = {"Dot": 7, "gemm <2>": 0}
    report.coverage["c"].kernels = {"Dot": 0}
    root = read(page_text(report))
    (table,) = root.findall(".//*[@aria-labelledby='kernels']/table")
    rows = [[words(cell) for cell in row] for row in table.iter("tr")]
    assert rows == [["name", "py", "c"], ["Dot", "7", "never"], ["gemm <2>", "never", "−"]]
    assert root.find(".//*[@id='rewrites']") is None
    (facts,) = find_by_class(root, "facts")
    assert "environmentBLAS <none>, numpy 2.5" in map(words, facts)


def test_grid_has_a_cell_for_each_rule_and_backend():
    cells = grid(read(page_text(report_of(*FINDINGS, finding(SIZES, "c")))))
    assert set(cells) == set(product(RULES, ("py", "c")))
    not_checked = {cell for cell, said in cells.items() if said == "not judged"}
    assert not_checked == set(product(("R8", "R10", "R14", "R15"), ("py", "c")))
    passed = {cell: said for cell, said in cells.items() if said in ("passed", "7 sampled")}
    assert {(cell[1], said) for cell, said in passed.items()} == {
        ("py", "passed"),
        ("c", "7 sampled"),
    }
    assert {cell: said for cell, said in cells.items() if cell not in not_checked | {*passed}} == {
        ("R4", "py"): "1 known",
        ("R4", "c"): "1 new 1 known",
        ("R6", "c"): "1 new",
        ("R13", "py"): "1 new",
    }


@pytest.mark.parametrize(
    ("only", "judged"),
    [
        ("gradients", {"R8"}),
        ("structure", {"R10", "R14"}),
        ("resources", {"R15"}),
        ("errors", {"R1", "R2", "R3", "R4", "R13"}),
        ("values", {"R5", "R6", "R7", "R9", "R11", "R12"}),
    ],
)
def test_grid_passes_only_judged_rules(only, judged):
    target = Target(rd.dot, "dot", gradients=True)
    target.not_checked = {}
    cells = grid(read(page_text(report_of(only=(only,)), target)))
    assert {rule for (rule, _), said in cells.items() if said == "passed"} == judged


def test_counts_in_the_grid_link_to_a_finding_of_their_rule():
    root = read(page_text(report_of(*FINDINGS)))
    (table,) = find_by_class(root, "grid")
    titles = {article.get("id"): words(article.find("h3")) for article in root.iter("article")}
    for row in table.iter("tr"):
        for link in row.iter("a"):
            rule = words(row.find("th")).split()[0]
            assert titles[link.get("href").removeprefix("#")].startswith(f"{rule} ")


@pytest.mark.parametrize("partial", ["look", "stopped", "interrupted"])
def test_a_rule_that_not_all_cases_judged_has_not_passed(partial):
    report = report_of()
    if partial == "look":
        report.profile = check.LOOK
    else:
        setattr(report, partial, True)
    cells = grid(read(page_text(report)))
    assert {cells[rule, "py"] for rule in RULES} == {"1,234 sampled", "not judged"}


def test_a_target_without_a_choice_of_backends_names_none():
    report = report_of(FINDINGS[0], absent_backends={}, backends=("py",))
    del report.coverage["c"]
    root = read(page_text(report))
    (facts,) = find_by_class(root, "facts")
    assert {"backends", "lowerings"}.isdisjoint(words(fact.find("dt")) for fact in facts)
    (table,) = find_by_class(root, "grid")
    assert words(table.find("caption")) == "Distinct mismatches, by rule"
    assert [words(head) for head in table.find("thead").iter("th")] == ["rule", "mismatches"]
    (seen,) = find_by_class(root, "occurrences")
    assert words(seen).startswith("Seen ")
    assert "Backends" not in words(seen)


def test_mismatches_come_before_what_was_not_judged_and_the_kernels():
    report = report_of(*FINDINGS)
    report.coverage["py"].kernels = {"Dot": 7}
    headings = [words(heading) for heading in read(page_text(report)).iter("h2")]
    assert headings == ["Rules", "Mismatches", "Not judged", "Kernels"]


def test_every_state_has_a_sign_and_words():
    assert len({*SIGNS.values()}) == len(SIGNS)
    (table,) = find_by_class(read(page_text(report_of(*FINDINGS))), "grid")
    for cell in table.iter("td"):
        signs = [sign.text for sign in find_by_class(cell, "sign")]
        assert SIGNS[cell.get("class")] in signs
        assert words(cell)


def test_new_mismatches_come_first_and_known_ones_show_their_deviation():
    root = read(page_text(report_of(*FINDINGS)))
    articles = list(root.iter("article"))
    assert [words(article.find("h3")) for article in articles] == [
        "R6 wrong-value at run: float NEW",
        f"R13 wrong-error at build: {HOSTILE} NEW",
        "R4 accepted-invalid at run: contracted known: size-one",
    ]
    assert [len(find_by_class(article, "deviation")) for article in articles] == [0, 0, 1]
    (deviation,) = find_by_class(root, "deviation")
    assert words(deviation) == "Size 1 broadcasts <n>. einsum & its sizes." + DEVIATION.upstream


def test_deviation_without_upstream_issue_has_no_link():
    target = target_with_deviation(upstream="")
    root = read(page_text(report_of(KNOWN), target))
    (deviation,) = find_by_class(root, "deviation")
    assert list(deviation.iter("a")) == []


def test_words_in_backticks_are_code():
    target = target_with_deviation(title="`<a>` is `b`.", cause="No code here: `.")
    root = read(page_text(report_of(KNOWN), target))
    (deviation,) = find_by_class(root, "deviation")
    assert [words(code) for code in deviation.iter("code")] == ["<a>", "b"]
    assert words(deviation).startswith("<a> is b. No code here: `.")


def target_with_deviation(**fields):
    """Return the target with a changed deviation."""
    return Target(rd.dot, "m:<dot>", deviations=(replace(DEVIATION, **fields),))


def test_removed_deviation_is_shown_by_id_only():
    root = read(page_text(report_of(KNOWN), target_with_deviation(id="another")))
    assert find_by_class(root, "deviation") == []
    assert words(root.find(".//h3")).endswith(" known: size-one")


def test_mismatch_shows_answers_occurrences_and_case():
    root = read(page_text(report_of(*FINDINGS)))
    article = next(root.iter("article"))
    assert [words(fact) for fact in find_by_class(article, "pair")[0]] == [
        f"expected1.0 at {HOSTILE}=1",
        "got2.0",
    ]
    assert words(find_by_class(article, "occurrences")[0]) == (
        "Seen 2 times. Backends: c. Lowerings: stock."
    )
    assert str(CASE) in words(article)
    assert case_description(CASE) in words(article)


def test_cases_with_a_lowering_have_a_picture():
    root = read(page_text(report_of(*FINDINGS)))
    pictures = [list(article.iter("svg")) for article in root.iter("article")]
    assert [len(found) for found in pictures] == [1, 0, 1]
    picture = pictures[0][0]
    assert picture.get("role") == "img"
    assert words(picture.find("title")).startswith("ab,b->a. ")
    # Their styles are equal, and no id in one picture could clash with another.
    assert len({words(found.find("style")) for (found,) in (pictures[0], pictures[2])}) == 1
    assert not any("id" in element.attrib for found in pictures for svg in found for element in svg)


@pytest.mark.parametrize("count", [0, 3, 4])
def test_more_than_three_mismatches_have_a_table_of_contents(count):
    found = [finding(replace(VALUE, detail=str(number)), "c") for number in range(count)]
    contents = list(read(page_text(report_of(*found))).iter("nav"))
    assert len(contents) == (count > 3)
    for links in contents:
        assert [words(item) for item in links.iter("li")] == [
            f"R6 wrong-value at run: {number} NEW" for number in range(count)
        ]


def test_copy_buttons_refer_to_the_command_and_the_scripts():
    root = read(page_text(report_of(*FINDINGS), command="refdot check"))
    elements = {element.get("id"): element for element in root.iter()}
    buttons = [button.get("data-copies") for button in root.iter("button")]
    command, *scripts = ("".join(elements[name].itertext()) for name in buttons)
    assert command == "refdot check"
    assert scripts == [f"# {number}\n\n{HOSTILE} < 1 & 2\n" for number in (1, 2, 0)]


DESCRIPTIONS = {
    "Contracted: a. The numbers are small integers: every order of summation gives the same "
    "bits.": DotCase(*[Operand(("a",), (2,), static=(True,))] * 2),
    "Batch: a. Free: b. Summed: c. A ? marks a size that is not static. The numbers "
    "are NaN, infinities, -0.0, subnormals and huge numbers among small integers. First- and "
    "second-order gradients are checked.": DotCase(
        Operand(("a", "b", "c"), (1, 2, 3)),
        Operand(("a",), (1,), static=(True,)),
        DimArgument("str", ("c",)),
        regime="special",
        gradient_order=2,
    ),
    "A ? marks a size that is not static. Both operands are the same variable. The numbers are "
    "ordinary numbers of several magnitudes; for integers, the whole range. First-order gradients "
    "are checked.": DotCase(
        *[Operand(("a",), (2,))] * 2,
        DimArgument("str", ("z",)),
        regime="rounding",
        same_variable=True,
        gradient_order=1,
    ),
    "Contracted: a. Both operands are the same array. Layout slice: put the array among NaN, or "
    "among the largest numbers of its dtype. The numbers are small integers: every order of "
    "summation gives the same bits.": dot_case("a", "a", layout="slice", same_array=True),
    "Contracted: b. Free: a, c. Both operands are the same variable under other names. The "
    "numbers are small integers: every order of summation gives the same bits.": dot_case(
        "a:3 b", "b c:3", same_variable=True
    ),
}


@pytest.mark.parametrize("sentences", DESCRIPTIONS)
def test_case_description(sentences):
    assert case_description(DESCRIPTIONS[sentences]) == sentences


@pytest.mark.parametrize("scheme", diagram.COLOURS)
def test_text_colours_have_enough_contrast(scheme):
    style = (files("refdot.reporting") / "templates" / "page.css").read_text("utf-8")
    light, dark = re.findall(r":root {(.*?)}", style, re.DOTALL)
    colours = dict(re.findall(r"--(\w+): (#\w+);", light if scheme == "light" else dark))
    assert colours.keys() >= {"quiet", "link", "new", "known", "passed"}
    del colours["line"]
    page = diagram.COLOURS[scheme]
    for colour, ground in product(colours.values(), (page["page"], page["box"])):
        assert contrast(colour, ground) >= 4.5
