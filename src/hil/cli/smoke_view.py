"""Smoke reports and findings as text for a person."""

from collections.abc import Iterable, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from hil.domain.finding import Finding, Severity
from hil.domain.smoke_report import Reading, SmokeReport

_STYLE = {Severity.OK: "green", Severity.WARNING: "yellow", Severity.FAILED: "bold red"}


def smoke_view(report: SmokeReport) -> RenderableType:
    """One plant or device: what was read, how long it took, and what was found."""
    who = report.plant if report.device is None else f"{report.plant}/{report.device}"
    title = Text(f"{report.name} ({who}) · {report.transport} · {report.endpoint} · ")
    title.append(report.severity, _STYLE[report.severity])
    parts: list[RenderableType] = [title]
    if report.trace:
        parts.append(Text("\n".join(report.trace)))
    parts.append(reading_table(report.readings))
    trips = report.round_trip_ms
    if trips.p50 is not None:
        parts.append(
            Text(
                f"{report.reads} reads: round trip p50 {trips.p50:g} ms,"
                f" p99 {trips.p99:g} ms, max {trips.max:g} ms"
            )
        )
    parts += finding_lines(report.findings)
    return Group(*parts, Text())


def reading_table(readings: Sequence[Reading]) -> Table:
    """Points with their registers, in hex and decimal, and their values."""
    table = Table(box=None, pad_edge=False)
    for name in ("point", "at", "format", "hex", "raw words", "value"):
        table.add_column(name, justify="right" if name == "value" else "left", no_wrap=True)
    for one in readings:
        words = one.words or ()
        table.add_row(
            Text(one.point),
            f"{one.table} {one.address}",
            one.format,
            " ".join(f"0x{word:04X}" for word in words),
            " ".join(map(str, words)),
            Text(shown(one)),
        )
    return table


def shown(reading: Reading) -> str:
    """The value with its unit, or why there is none."""
    if reading.problem is not None:
        return reading.problem
    if reading.value is None:
        return "not known"
    return f"{reading.value:.8g} {reading.unit}".rstrip()


def finding_lines(findings: Iterable[Finding]) -> list[RenderableType]:
    """A line a finding, the cure below it."""
    lines: list[RenderableType] = []
    for finding in findings:
        line = Text(f"{finding.severity:8}", _STYLE[finding.severity])
        line.append(f"{finding.subject}: {finding.text}", "default")
        if finding.cure is not None:
            line.append(f"\n         -> {finding.cure}", "default")
        lines.append(line)
    return lines
