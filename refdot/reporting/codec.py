"""Reports as JSON."""

from __future__ import annotations

import re
from dataclasses import asdict, fields
from hashlib import sha256
from typing import Any

from refdot import __version__
from refdot.cases.codec import case_from_json, case_to_json
from refdot.check.findings import Coverage, Finding, Report
from refdot.check.plan import Configuration, Profile, Shard
from refdot.targets.mismatch import Mismatch

__all__ = ["as_json", "from_json", "reproducer_name"]


# The fields of a report that are in its JSON as they are.
_AS_THEY_ARE = (
    "target",
    "target_version",
    "python",
    "seed",
    "cases",
    "skipped",
    "lost",
    "absent_backends",
    "seconds",
    "interrupted",
)


def as_json(report: Report) -> dict[str, Any]:
    """Give a report as what `json` can write; DESIGN and README list the fields."""
    return {
        "refdot": __version__,
        "target": report.target,
        "target_version": report.target_version,
        "python": report.python,
        "seed": report.seed,
        "profile": asdict(report.profile),
        "only": list(report.only),
        "shard": str(report.shard),
        "cases": report.cases,
        "skipped": report.skipped,
        "lost": report.lost,
        "backends": list(report.backends),
        "lowerings": list(report.lowerings),
        "absent_backends": report.absent_backends,
        "limits": report.unsupported,
        "coverage": {name: _coverage_as_json(of) for name, of in report.coverage.items()},
        "seconds": round(report.seconds, 3),
        "interrupted": report.interrupted,
        "mismatches": [_finding_as_json(finding) for finding in report.findings],
    }


def _coverage_as_json(coverage: Coverage) -> dict[str, Any]:
    """Give what a backend judged as what `json` can write."""
    return {
        "cases": coverage.cases,
        "thorough": coverage.thorough,
        "ranks": [
            {"rank": rank, "patterns": judged, "of": there_are}
            for rank, (judged, there_are) in enumerate(coverage.patterns)
        ],
    }


def _finding_as_json(finding: Finding) -> dict[str, Any]:
    """Give one finding as what `json` can write."""
    mismatch = finding.mismatch
    return {
        "signature": mismatch.signature,
        "rule": mismatch.rule,
        "kind": mismatch.kind,
        "stage": mismatch.stage,
        "detail": mismatch.detail,
        "backends": finding.backends,
        "lowerings": finding.lowerings,
        "count": finding.count,
        "known": finding.known,
        "configuration": asdict(finding.configuration),
        "case": case_to_json(mismatch.case),
        "expected": mismatch.expected,
        "got": mismatch.got,
        "earliest_stage": mismatch.earliest_stage,
        "draw": mismatch.replicate,
        "order": mismatch.order,
        "operand": mismatch.operand,
        "reproducer": reproducer_name(finding),
    }


def from_json(data: Any) -> Report:
    """Read a report from what `as_json` gave.

    Raises
    ------
    ValueError
        The data do not describe a report, or one of another version of refdot.
    """
    if not isinstance(data, dict) or "refdot" not in data:
        raise ValueError("not written by refdot check")
    if data["refdot"] != __version__:
        raise ValueError(f"written by refdot {data['refdot']}, and this is {__version__}")
    try:
        return Report(
            **{key: data[key] for key in _AS_THEY_ARE},
            unsupported=data["limits"],
            backends=tuple(data["backends"]),
            lowerings=tuple(data["lowerings"]),
            only=tuple(data["only"]),
            profile=Profile(**data["profile"]),
            shard=Shard(*map(int, data["shard"].split("/"))),
            coverage={name: _coverage_from_json(of) for name, of in data["coverage"].items()},
            findings=[_finding_from_json(found) for found in data["mismatches"]],
        )
    except KeyError as error:
        raise ValueError(f"not written by refdot check: it lacks {error}") from None
    except (TypeError, AttributeError) as error:
        raise ValueError(f"not written by refdot check: {error}") from None


def _coverage_from_json(data: dict[str, Any]) -> Coverage:
    """Read what a backend judged from what `_coverage_as_json` gave."""
    patterns = [(row["patterns"], row["of"]) for row in data["ranks"]]
    return Coverage(data["cases"], patterns, data["thorough"])


def _finding_from_json(data: dict[str, Any]) -> Finding:
    """Read one finding from what `_finding_as_json` gave."""
    names = {each.name for each in fields(Mismatch)} - {"case", "replicate"}
    mismatch = Mismatch(
        **{name: data[name] for name in names},
        case=case_from_json(data["case"]),
        replicate=data["draw"],
    )
    configuration = Configuration(**data["configuration"])
    parts = ("backends", "lowerings", "count", "known")
    return Finding(mismatch, configuration, **{name: data[name] for name in parts})


def reproducer_name(finding: Finding) -> str:
    """Name a finding's script: readable, and distinct for each signature.

    The name holds the rule, the kind, and a few digits of the signature's hash.
    """
    mismatch = finding.mismatch
    key = mismatch.signature + (finding.known or "")
    digest = sha256(key.encode()).hexdigest()[:6]
    words = re.sub(r"\W+", "_", f"{mismatch.rule} {mismatch.kind} {digest}".lower())
    return f"reproducer_{words}.py"
