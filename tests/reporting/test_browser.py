"""The page of a report in a browser."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from browsers import needs_browser, started_browser

from refdot import check
from refdot.reporting.files import write_report
from refdot.rules import RULES
from refdot.targets.registry import find_target

ROOT = Path(__file__).parents[2]


@pytest.fixture
def report_page(module, tmp_path):
    """Write the report of a faulty dot, and return the path of its page."""
    target = find_target(module)
    write_report(
        check.run(target, cases=20, fixed=False), target, tmp_path / "report", "refdot check"
    )
    return tmp_path / "report" / "report.html"


@pytest.fixture
def browser(tmp_path):
    """Start a browser with a new profile."""
    with started_browser(tmp_path / "profile") as started:
        yield started


@needs_browser
def test_page_fits_a_browser_and_copies_a_failing_reproducer(report_page, browser):
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys
    from selenium.webdriver.support.wait import WebDriverWait

    for width in (400, 1400):
        metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        browser.get(report_page.as_uri())
        inside, room = browser.execute_script(
            "const page = document.documentElement; return [page.scrollWidth, page.clientWidth]"
        )
        assert 0 < inside <= room <= width

    (article,) = browser.find_elements(By.TAG_NAME, "article")
    assert article.find_element(By.TAG_NAME, "h3").text == "R5 wrong-dims at run: dims ✗ NEW"
    cells = browser.find_elements(By.CSS_SELECTOR, ".grid td")
    assert [cell.text for cell in cells if "new" in cell.text] == ["✗ 1 new"]
    assert len(cells) == len(RULES)

    (script,) = report_page.parent.glob("reproducer_*.py")
    texts = "refdot check", script.read_text("utf-8")
    for before in ("", "navigator.clipboard.writeText = () => Promise.reject()"):
        browser.refresh()
        browser.execute_script(
            f"{before}; document.body.append(document.createElement('textarea'))"
        )
        area = browser.find_element(By.TAG_NAME, "textarea")
        buttons = browser.find_elements(By.TAG_NAME, "button")
        for button, text in zip(buttons, texts, strict=True):
            button.click()
            WebDriverWait(browser, 10).until(lambda _, button=button: "Copied" in button.text)
            area.clear()
            area.send_keys(Keys.CONTROL, "v")
            copied = area.get_property("value")
            assert copied == text
    assert browser.get_log("browser") == []

    completed = subprocess.run(
        [sys.executable, "-c", copied],
        cwd=report_page.parent.parent,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), ".", *sys.path])},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (completed.returncode, completed.stderr) == (1, "")
    assert completed.stdout.startswith("R5 wrong-dims at run: dims\n")
