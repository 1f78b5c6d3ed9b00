"""Who am I, what may I read, and the small requests clients make at start-up."""

from __future__ import annotations

from .context import KIND, REPO_ID, Context, Router
from .errors import HubError
from .state import check_files, check_write
from .users import whoami
from .wire import Response, json_response, text_response


def register(router: Router) -> None:
    router.add("GET", "/api/whoami-v2", who_am_i)
    router.add("GET", "/api/agent-harnesses", agent_harnesses)
    router.add("GET POST", "/api/telemetry/.*", telemetry)
    router.add("GET", f"/api/{KIND}/(?P<id>{REPO_ID})/auth-check(?P<write>/write)?", auth_check)


def who_am_i(ctx: Context) -> Response:
    if ctx.who.anonymous:
        raise HubError(401, "Invalid username or password.")
    return json_response(whoami(ctx.who))


def auth_check(ctx: Context) -> Response:
    repo = ctx.repository()
    if ctx.params.group("write"):
        check_write(repo, ctx.who)
    else:
        check_files(repo, ctx.who, ctx.request.base_url)
    return text_response("OK")


def agent_harnesses(ctx: Context) -> Response:
    """A registry without entries: without an answer every client process would ask again."""
    return json_response({"standardEnvVars": [], "harnesses": {}})


def telemetry(ctx: Context) -> Response:
    return text_response("")
