"""Reports in a notebook."""

from dataclasses import replace

from reports import PROGRAM, WRONG_DIMS, WRONG_VALUE, report_of


def test_a_report_in_a_notebook_has_each_finding_and_the_first_new_one_unfolded():
    report = report_of(WRONG_DIMS, WRONG_VALUE, program_findings=[PROGRAM], programs=7)
    report.findings[0].known = "dims-<swapped>"
    head, *details = report._repr_html_().split("<details")
    assert head == (
        "<p><b>fn 1.2</b>: 20 cases and 7 programs judged;\nmismatches: 2 new, 1 known</p>\n"
    )
    known, new, of_program = details
    assert known.startswith(
        "><summary>dims-&lt;swapped&gt; <code>R5 wrong-dims at run: dims</code>, 3 times on c, py"
    )
    assert new.startswith(" open><summary><b>NEW</b> <code>R6 wrong-value at run: float [wrong]")
    assert "<code>1.0</code>" in new
    assert "<svg" in new
    assert of_program.startswith("><summary><b>NEW</b>")
    assert "gram = dot(x, y, dim=&#39;column&#39;)" in of_program
    assert "expected  a=0: 1.0\ngot       a=0: 2.0</pre>" in of_program


def test_a_target_without_a_choice_of_backends_names_none_in_a_notebook():
    report = replace(report_of(WRONG_DIMS), backends=("call",), lowerings=("stock",))
    report = replace(report, other_backends=(), other_lowerings=(), absent_backends={})
    assert "dims</code>, 3 times</summary>" in report._repr_html_()


def test_a_report_in_a_notebook_without_findings_is_one_line():
    assert report_of()._repr_html_() == (
        "<p><b>fn 1.2</b>: 20 cases judged;\nmismatches: 0 new, 0 known</p>\n"
    )
