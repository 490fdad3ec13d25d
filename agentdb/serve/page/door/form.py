"""Forms: an action is a POST of a page of this server, with the session's token."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from urllib.parse import parse_qsl, quote

import anyio
import psycopg
from psycopg_pool import PoolTimeout
from starlette.datastructures import ImmutableMultiDict
from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from ...errors import Refused
from .failure import NOT_DONE, NOT_KNOWN, error_page, is_away, sentences, words
from .keeper import Keeper
from .origin import is_same_origin, is_token, local_path, page_before

Form = ImmutableMultiDict[str, str]
Handler = Callable[[Request, Form], Awaitable[Response | str]]
# In bytes; of who has not logged in, less.
LONGEST, LONGEST_PUBLIC = 1 << 20, 1 << 14
# In seconds.
READ_WITHIN = 10.0
MOST_FIELDS = 10_000
KIND = "application/x-www-form-urlencoded"


def post(path: str, handler: Handler, *, public: bool = False) -> Route:
    """Return the route of an action, which nothing but a form of ours reaches.

    What the handler returns is shown on the page that is shown next; what the database
    refuses is, too.
    """

    async def endpoint(request: Request) -> Response:
        keeper: Keeper = request.app.state.keeper
        if not is_same_origin(request.headers, keeper.settings):
            return error_page(
                request, 403, "This was sent by a page of another server."
            )
        form = await read(request)
        if not is_token(form.get("csrf", ""), request.state.csrf):
            said = "This form is of a session that has ended: nothing was done."
            there = page_before(request.headers, keeper.settings)
            return error_page(
                request, 403, said, "Load the page anew, and repeat.", there=there
            )
        if request.state.person is None and not public:
            return RedirectResponse("/login", 303)
        try:
            done = await handler(request, form)
        except psycopg.Error as error:
            if request.state.session is None:
                raise
            if is_away(error):
                said = NOT_DONE if isinstance(error, PoolTimeout) else NOT_KNOWN
                there = page_before(request.headers, keeper.settings)
                return error_page(request, 503, said, there=there)
            said, hint = words(error)
            flash(request, "error", sentences(*filter(None, (said, hint))))
            return back(request, form)
        if isinstance(done, Response):
            return done
        flash(request, "done", done)
        return back(request, form)

    return Route(path, endpoint, methods=["POST"])


async def read(request: Request) -> Form:
    """Return the fields of a form; raises Refused: 408, 413 or 415, or 400."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != KIND:
        raise Refused("this is no form of a page", 415)
    data = bytearray()
    longest = LONGEST if request.state.person else LONGEST_PUBLIC
    try:
        with anyio.fail_after(READ_WITHIN):
            async for part in request.stream():
                data += part
                if len(data) > longest:
                    raise Refused(f"more than {longest} bytes", 413)
    except TimeoutError:
        raise Refused("the form did not come in time", 408) from None
    except ClientDisconnect:
        raise Refused("the client went away") from None
    try:
        fields = parse_qsl(
            data.decode("ascii"),
            keep_blank_values=True,
            max_num_fields=MOST_FIELDS,
            errors="strict",
        )
    except ValueError:
        raise Refused("this is no form of a page") from None
    # PostgreSQL has no text with this character.
    return ImmutableMultiDict([(n, v.replace("\0", "\ufffd")) for n, v in fields])


def flash(request: Request, kind: str, said: str) -> None:
    """Have the next page of this person say something, once."""
    session = request.state.session
    if session is not None and said:
        session.flash = [*session.flash[-4:], (kind, said[:2000])]


def back(request: Request, form: Form) -> Response:
    """Return to the page that a form was on."""
    before = page_before(request.headers, request.app.state.keeper.settings)
    to = local_path(form.get("next"), before)
    return RedirectResponse(quote(to, safe="/?&=%:#+,;@~"), 303)
