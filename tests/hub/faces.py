"""The two servers that clients see, the hub and the CDN: from a request to its answer.

The order is the same for both: log, identify, apply faults that replace the answer, handle, apply
faults that alter it.
"""

from __future__ import annotations

import re
import traceback
import urllib.parse
import uuid
from typing import Any

from . import (
    cdn_uploads,
    discussions,
    handlers_account,
    handlers_commit,
    handlers_files,
    handlers_info,
    handlers_lfs,
    handlers_repos,
)
from .arrival import BadRequest, Ended
from .cdn_uploads import StorageError
from .content import disposition, serve_blob
from .context import Context, Handler, Router, kind_of, plural
from .errors import HubError, RepoMoved, invalid_token
from .exchange import Exchange
from .faults import Faults
from .intake import Intake
from .log import Record, RequestLog
from .ratelimit import RateLimiter, bucket_of
from .signing import verify
from .state import State
from .users import ANONYMOUS
from .wire import Headers, Request, Response, text_response

_CDN_PATH = re.compile(r"/(?P<repo>[^/]+/.+?)/(?P<etag>[0-9a-f]{40}|[0-9a-f]{64})/(?P<file>.+)")


class LoggedFace:
    """What the hub and the CDN have in common."""

    name = ""

    def __init__(self, base_url: str, state: State, log: RequestLog, faults: Faults) -> None:
        self.base_url = base_url
        self.state = state
        self.log = log
        self.faults = faults

    def answer(self, request: Request, connection: int) -> tuple[Response, Exchange]:
        exchange = self._begin(request, connection)
        try:
            response = self._respond(exchange)
        except BaseException:
            self.log.finish(exchange.record, aborted=True)
            raise
        self.log.update(exchange.record, status=response.status)
        return response, exchange

    def _respond(self, exchange: Exchange) -> Response:
        actions = self.faults.pick(exchange)
        for action in actions:
            action.prepare(exchange)
        made = (action.replace(exchange) for action in actions)
        response = next((answer for answer in made if answer is not None), None)
        if response is None:
            response = self._handle(exchange)
        elif not exchange.answers_early:
            # As if the failure came from behind a proxy that takes the whole request first: a
            # client that is still sending might never see the answer.
            exchange.request.body.drain()
        for action in actions:
            action.alter(exchange, response)
        return response

    def sent(self, exchange: Exchange, count: int) -> None:
        self.log.add_bytes(exchange.record, count)

    def stalled(self, exchange: Exchange, now: bool) -> None:
        self.log.update(exchange.record, stalled=now)

    def ended(self, exchange: Exchange, aborted: bool) -> None:
        self.log.finish(exchange.record, aborted)

    def _begin(self, request: Request, connection: int) -> Exchange:
        # The host the client used is the one it recognises in absolute links.
        if host := request.headers.get("Host"):
            request.base_url = f"{self.base_url.partition('://')[0]}://{host}"
        fields = {
            "server": self.name,
            "method": request.method,
            "path": request.path,
            "query": request.query_string,
            "connection": connection,
            "reused": request.reused,
            "range": request.headers.get("Range"),
            "user_agent": request.headers.get("User-Agent"),
            **self._about(request),
        }
        exchange = Exchange(request, self.log.begin(**fields))
        request.body.gate = Intake(exchange, self.log)
        self._identify(exchange)
        return exchange

    def _identify(self, exchange: Exchange) -> None:
        authorization = exchange.request.headers.get("Authorization")
        if authorization is None:
            return
        with self.state.lock:
            who = self.state.directory.identify(authorization)
        exchange.identity = who or ANONYMOUS
        self.log.update(
            exchange.record,
            auth="valid" if who else "invalid",
            user=who.name if who else None,
            token=who.token.label if who and who.token else None,
        )

    def _about(self, request: Request) -> dict[str, Any]:
        """What the path says the request is about, for the log and the faults."""
        raise NotImplementedError

    def _handle(self, exchange: Exchange) -> Response:
        raise NotImplementedError


class HubFace(LoggedFace):
    """The API and `resolve`."""

    name = "hub"

    def __init__(
        self,
        base_url: str,
        cdn_url: str,
        state: State,
        log: RequestLog,
        faults: Faults,
        limiter: RateLimiter,
    ) -> None:
        super().__init__(base_url, state, log, faults)
        self._cdn_url = cdn_url
        self._limiter = limiter
        self._router = Router()
        for handlers in (
            handlers_files,
            handlers_lfs,
            handlers_account,
            handlers_repos,
            handlers_commit,
            discussions,
            handlers_info,
        ):
            handlers.register(self._router)
        handlers_info.register_last(self._router)

    def _about(self, request: Request) -> dict[str, Any]:
        route = self._router.find(request)
        if route is None:
            return {}
        groups = route[1].groupdict()
        about: dict[str, Any] = {}
        if groups.get("id"):
            about["repo"] = f"{plural(kind_of(route[1]))}/{urllib.parse.unquote(groups['id'])}"
        if groups.get("file"):
            about["file"] = urllib.parse.unquote(groups["file"])
        return about

    def _handle(self, exchange: Exchange) -> Response:
        request = exchange.request
        extra: list[tuple[str, str]] = []
        try:
            extra = self._limit(exchange)
            if exchange.record.auth == "invalid":
                raise invalid_token()
            response = self._route(exchange)
        except Ended:
            raise
        except HubError as error:
            response = error.response()
        except BadRequest as error:
            response = HubError(400, str(error)).response()
        except Exception:  # a bug of ours must show in the test that met it, not as a dead thread
            traceback.print_exc()
            response = HubError(500, "the test Hub has a bug, see its standard error").response()
        response.headers.fields += extra
        response.headers.add("X-Request-Id", _request_id(request))
        return response

    def _limit(self, exchange: Exchange) -> list[tuple[str, str]]:
        sender = exchange.record.token or exchange.request.peer
        limits = self.state.settings.rate_limits
        return self._limiter.account(limits, bucket_of(exchange.request.path), sender)

    def _route(self, exchange: Exchange) -> Response:
        found = self._router.find(exchange.request)
        if found is None:
            raise HubError(404, "Sorry, we can't find the page you are looking for.")
        handler, params = found
        context = Context(self.state, exchange, params, self._cdn_url)
        return self._call(handler, context)

    def _call(self, handler: Handler, context: Context) -> Response:
        try:
            return handler(context)
        except RepoMoved as moved:
            request, (start, end) = context.request, context.params.span("id")
            location = request.target[:start] + moved.new_id + request.target[end:]
            # Relative, and 307 so that methods and bodies survive.
            return text_response(
                f"Temporary Redirect. Redirecting to {location}", 307, [("Location", location)]
            )


class CdnFace(LoggedFace):
    """Contents by signed URL. Knows no users, and must never see their tokens."""

    name = "cdn"

    def _about(self, request: Request) -> dict[str, Any]:
        if (match := _CDN_PATH.fullmatch(request.path)) is None:
            return cdn_uploads.about(request)
        return {
            "repo": match["repo"],
            "blob": match["etag"],
            "file": urllib.parse.unquote(match["file"]),
        }

    def _identify(self, exchange: Exchange) -> None:
        super()._identify(exchange)
        if "Authorization" in exchange.request.headers:
            self.log.update(exchange.record, leak=True)

    def _handle(self, exchange: Exchange) -> Response:
        request, record = exchange.request, exchange.record
        if record.leak:
            return _cdn_error(400, "InvalidArgument", "Only one auth mechanism allowed")
        if request.method not in ("GET", "HEAD", *(["PUT"] if record.upload else [])):
            return _cdn_error(405, "MethodNotAllowed", request.method)
        problem = verify(self.state.signing_key, request.path, request.query_string)
        if exchange.expired_url:
            problem = "the URL has expired"
        if problem is not None:
            return _cdn_error(403, "AccessDenied", problem)
        try:
            if request.method == "PUT":
                return cdn_uploads.put(self.state, self.log, exchange)
            return self._get(request, record)
        except StorageError as error:
            return _cdn_error(error.status, error.code, str(error))

    def _get(self, request: Request, record: Record) -> Response:
        with self.state.lock:
            blob = self.state.cdn_objects.get(record.blob or "")
        if blob is None or record.blob is None or record.file is None:
            raise StorageError(404, "NoSuchKey", request.path)
        fields = [("Content-Disposition", disposition(record.file))]
        return serve_blob(request, blob, record.blob, fields)


def _cdn_error(status: int, code: str, message: str) -> Response:
    text = f'<?xml version="1.0"?><Error><Code>{code}</Code><Message>{message}</Message></Error>'
    response = text_response(text, status)
    response.headers = Headers([("Content-Type", "application/xml")])
    return response


def _request_id(request: Request) -> str:
    """A client's own id is repeated; its trace id becomes part of ours."""
    if own := request.headers.get("X-Request-Id"):
        return own
    trace = request.headers.get("X-Amzn-Trace-Id")
    fresh = f"Root=1-{uuid.uuid4().hex[:8]}-{uuid.uuid4().hex[:24]}"
    return f"{fresh};{trace}" if trace else fresh
