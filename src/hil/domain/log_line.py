"""The log as people and pages see it: one line a record, one file a site day."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

NAME = "hil_scheduler"
# Longer texts are cut: the longest traceback that anybody reads has less.
TEXT_MAX = 8_000

_FILE_NAME = re.compile(rf"([0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}})_{NAME}\.log")
_ESCAPED = re.compile(r"\\(?:([\\nrt])|x([0-9a-f]{2})|u([0-9a-f]{4})|U([0-9a-f]{8}))")
_SHORT = {"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_LONG = {spelled[1]: character for character, spelled in _SHORT.items()}


class LogLevel(StrEnum):
    """How severe a record is."""

    DEBUG = "DEBUG"
    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"
    CRITICAL = "CRITICAL"

    @property
    def number(self) -> int:
        """The number that the standard library's logging gives it: 10 to 50."""
        return 10 * (list(LogLevel).index(self) + 1)

    def and_above(self) -> tuple["LogLevel", ...]:
        """This level and the more severe ones."""
        return tuple(list(LogLevel)[list(LogLevel).index(self) :])


def level_of(number: int) -> LogLevel:
    """The most severe level that the number reaches; below all of them `DEBUG`."""
    return max(
        (level for level in LogLevel if level.number <= number),
        key=lambda level: level.number,
        default=LogLevel.DEBUG,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """One line of a log file; a line that is no record has neither time nor level.

    `time` has the site's offset. `text` is as it was logged, with newlines where it had some.
    """

    time: datetime | None
    level: LogLevel | None
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LogFile:
    """The log of one site day."""

    date: date
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LogPage:
    """The end of a day's log.

    `files` are those that there are, the newest first, `level` is the least severe level that is
    logged now. `lines` are the last that were asked for, the oldest first. `complete` false: the
    search ended early because the file is large, and older lines may match as well.
    """

    date: date
    files: tuple[LogFile, ...]
    level: LogLevel
    lines: tuple[LogLine, ...]
    complete: bool


def log_file_name(day: date) -> str:
    """The name of the file of a site day."""
    return f"{day.isoformat()}_{NAME}.log"


def log_day(name: str) -> date | None:
    """The site day of a file of this name; None when it is no log file of ours."""
    match = _FILE_NAME.fullmatch(name)
    if match is None:
        return None
    try:
        return date.fromisoformat(match[1])
    except ValueError:
        return None


def line_text(time: str, level: LogLevel, text: str) -> str:
    """A record as one line, without its newline; `time` is spelled already."""
    if len(text) > TEXT_MAX:
        text = f"{text[:TEXT_MAX]} .. (cut: {len(text)} characters)"
    return f"{time} {level} {escaped(text)}"


def parse_line(line: str) -> LogLine:
    """What a line says, whoever wrote it."""
    stamp, _, rest = line.partition(" ")
    word, space, text = rest.partition(" ")
    try:
        time, level = datetime.fromisoformat(stamp), LogLevel(word)
    except ValueError:
        return LogLine(time=None, level=None, text=unescaped(line))
    if time.tzinfo is None or not space:
        return LogLine(time=None, level=None, text=unescaped(line))
    return LogLine(time=time, level=level, text=unescaped(text))


def escaped(text: str) -> str:
    """The text without anything that ends a line, moves a cursor or turns the direction.

    A record can so never pass for two, however its parts got in. Backslashes are doubled.
    """
    if text.isprintable() and "\\" not in text:
        return text
    return "".join(map(_escaped_character, text))


def _escaped_character(character: str) -> str:
    if character in _SHORT:
        return _SHORT[character]
    if character.isprintable():
        return character
    code = ord(character)
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def unescaped(text: str) -> str:
    """The text that was escaped; what is no escape, or none of a character, stays as it is."""
    return _ESCAPED.sub(_meant, text) if "\\" in text else text


def _meant(match: re.Match[str]) -> str:
    if match[1]:
        return _LONG[match[1]]
    code = int(match[2] or match[3] or match[4], 16)
    is_character = code <= 0x10FFFF and not 0xD800 <= code <= 0xDFFF
    return chr(code) if is_character else match[0]


def superfluous(
    bytes_of: Mapping[date, int], *, today: date, retention_days: int, bytes_max: int
) -> Iterator[tuple[date, str]]:
    """The days whose files must go, and why; the oldest first, never today's.

    Args:
        bytes_of: The size of the file of each day.
        retention_days: So many days before today are kept.
        bytes_max: What all files together may have.
    """
    # A clock without a battery may stand near the beginning of the calendar.
    oldest = today - min(timedelta(days=retention_days), today - date.min)
    total = sum(bytes_of.values())
    for day in sorted(bytes_of.keys() - {today}):
        if day < oldest:
            why = f"older than {retention_days} days"
        elif total > bytes_max:
            why = f"all files together have more than {bytes_max / 1e6:g} MB"
        else:
            return
        total -= bytes_of[day]
        yield day, why
