"""Nothing that a client sends gives a 500: generated requests over the whole document."""

from dataclasses import replace
from typing import Any

import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error

from web_support import SETTINGS, FakeEngine, app_of

# The name under which the in-process client asks.
NAMED = replace(SETTINGS, allowed_hosts=("testserver",))
SCHEMA = schemathesis.openapi.from_asgi("/api/openapi.json", app_of(FakeEngine(), NAMED))


# The stream has no end that such a client could wait for.
@SCHEMA.exclude(path="/api/v1/stream").parametrize()
@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_generated_requests_are_never_our_fault(case: schemathesis.Case[Any]) -> None:
    case.call_and_validate(checks=[not_a_server_error])
