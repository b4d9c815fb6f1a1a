"""Smoke reports as JUnit XML: a suite a plant or device, a case a point, one a finding besides."""

import re
from collections.abc import Sequence
from xml.etree import ElementTree as ET

from hil.domain.finding import Finding, Severity
from hil.domain.smoke_report import SmokeReport

# What XML 1.0 cannot carry (section 2.2); a device's words may have anything in them.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(reports: Sequence[SmokeReport]) -> bytes:
    """The XML file; a failed finding is a failure, a warning stands in the case's output."""
    root = ET.Element("testsuites", name="hil smoke")
    for report in reports:
        root.append(_suite(report))
    ET.indent(root)
    text: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return text


def _suite(report: SmokeReport) -> ET.Element:
    by_subject: dict[str, list[Finding]] = {"link": []}
    by_subject.update({reading.point: [] for reading in report.readings})
    for finding in report.findings:
        by_subject.setdefault(finding.subject, []).append(finding)
    device = [] if report.device is None else [report.device]
    name = " ".join([report.plant, *device, report.transport, report.endpoint])
    suite = ET.Element("testsuite", name=_clean(name), tests=str(len(by_subject)))
    failures = 0
    unread = {reading.point for reading in report.readings if reading.words is None}
    for subject, findings in by_subject.items():
        case = ET.SubElement(
            suite,
            "testcase",
            classname=".".join(["smoke", report.transport, report.plant, *device]),
            name=_clean(subject),
        )
        failed = [one for one in findings if one.severity is Severity.FAILED]
        if failed:
            failures += 1
            said = "\n".join(_sentence(one) for one in failed)
            ET.SubElement(case, "failure", message=_sentence(failed[0])).text = said
        elif subject in unread:
            ET.SubElement(case, "skipped", message="not read")
        rest = [_sentence(one) for one in findings if one.severity is not Severity.FAILED]
        if subject == "link":
            trips = report.round_trip_ms
            rest.append(
                f"{report.reads} reads, round trip p50 {trips.p50} p99 {trips.p99}"
                f" max {trips.max} ms"
            )
        if rest:
            ET.SubElement(case, "system-out").text = "\n".join(rest)
    suite.set("failures", str(failures))
    suite.set("errors", "0")
    return suite


def _sentence(finding: Finding) -> str:
    cure = "" if finding.cure is None else f" -> {finding.cure}"
    return _clean(f"{finding.severity}: {finding.text}{cure}")


def _clean(text: str) -> str:
    return _NOT_XML.sub("?", text)
