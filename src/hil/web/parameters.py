"""Refuses query parameters that a route does not know: a slip must not become another request."""

from difflib import get_close_matches

from fastapi import Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from hil.domain.errors import InvalidInput, Problem

# "sginal" is near "signal"; "x" is near nothing.
_LIKELY = 0.6
# Of a name that somebody else has written this much is shown.
_SHOWN_CHARACTERS = 40


async def known_parameters(request: Request) -> None:
    """Raise `InvalidInput` naming every query parameter that the route does not declare.

    The emergency stop is never refused for what stands beside it.
    """
    if not request.query_params or request.path_params.get("action") == "estop":
        return
    route = request.scope["route"]
    assert isinstance(route, APIRoute), route
    known = sorted(_declared(route.dependant))
    problems = [
        Problem(where=f"query.{name[:_SHOWN_CHARACTERS]}", why=_why(name, known))
        for name in dict.fromkeys(request.query_params)
        if name not in known
    ]
    if problems:
        raise InvalidInput("The query has a parameter that is not known here.", problems)


def _declared(dependant: Dependant) -> set[str]:
    """The names of the parameters of a route and of all that it depends on."""
    own = {field.alias for field in dependant.query_params}
    return own.union(*(_declared(each) for each in dependant.dependencies))


def _why(name: str, known: list[str]) -> str:
    if near := get_close_matches(name, known, n=1, cutoff=_LIKELY):
        return f'is not known; did you mean "{near[0]}"?'
    return f"is not known; there is {' and '.join(known) or 'no parameter'} here"
