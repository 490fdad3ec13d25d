"""A real issuer of identities on this machine: OpenID Connect, with its own key."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

CLIENT, SECRET = "agentdb", "its secret"


@dataclass
class LocalIssuer:
    """Says who somebody is; a test changes what it says, and how it is signed."""

    url: str = ""
    who: dict[str, Any] = field(default_factory=lambda: {"sub": "ann"})
    #: Claims that replace what is true; None leaves one out.
    lies: dict[str, Any] = field(default_factory=dict)
    algorithm: str = "RS256"
    key: RSAKey = field(
        default_factory=lambda: RSAKey.generate_key(2048, {"kid": "1"}, private=True)
    )
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)

    def authorize(self, query: dict[str, str]) -> str:
        """Return where the browser goes back to, as after a login."""
        code = secrets.token_urlsafe(16)
        self.codes[code] = query
        back = {"code": code, "state": query["state"]}
        return f"{query['redirect_uri']}?{urlencode(back)}"

    def token(self, form: dict[str, str], authorization: str) -> dict[str, str] | None:
        """Return the tokens of a code, once, to the client that proves itself."""
        asked = self.codes.pop(form.get("code", ""), None)
        basic = base64.b64encode(f"{CLIENT}:{SECRET.replace(' ', '%20')}".encode())
        plain = base64.b64encode(f"{CLIENT}:{SECRET}".encode())
        if authorization.removeprefix("Basic ").encode() not in (basic, plain):
            self.refused.append("client")
            return None
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if (
            asked is None
            or asked.get("code_challenge") != challenge
            or asked.get("code_challenge_method") != "S256"
            or asked.get("redirect_uri") != form.get("redirect_uri")
        ):
            self.refused.append("code")
            return None
        return {
            "access_token": "x",
            "token_type": "Bearer",
            "id_token": self.sign(asked),
        }

    def sign(self, asked: dict[str, str]) -> str:
        """Return who it is, signed."""
        now = int(time.time())
        true = {
            "iss": self.url, "aud": CLIENT, "iat": now, "exp": now + 300,
            "nonce": asked["nonce"], **self.who,
        }  # fmt: skip
        said = {n: v for n, v in (true | self.lies).items() if v is not None}
        if self.algorithm == "none":
            parts = [{"alg": "none", "kid": "1"}, said]
            return ".".join([*map(_part, parts), ""])
        if self.algorithm == "HS256":
            # The public key as a shared secret: everybody has it.
            signed = ".".join(map(_part, [{"alg": "HS256", "kid": "1"}, said]))
            shared = self.key.as_pem(private=False)
            digest = hmac.new(shared, signed.encode(), hashlib.sha256).digest()
            return f"{signed}.{base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"
        return jwt.encode({"alg": self.algorithm, "kid": "1"}, said, self.key)

    @contextmanager
    def serving(self) -> Iterator[LocalIssuer]:
        """Answer until the end of the block."""
        with ThreadingHTTPServer(("127.0.0.1", 0), _handler(self)) as server:
            self.url = f"http://127.0.0.1:{server.server_address[1]}"
            threading.Thread(target=server.serve_forever, daemon=True).start()
            try:
                yield self
            finally:
                server.shutdown()


def _part(said: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(said).encode()).rstrip(b"=").decode()


def _handler(issuer: LocalIssuer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            if parts.path == "/authorize":
                self.send_response(303)
                given = {n: v[0] for n, v in parse_qs(parts.query).items()}
                self.send_header("location", issuer.authorize(given))
                self.end_headers()
            elif parts.path == "/keys":
                self._json(KeySet([issuer.key]).as_dict(private=False))
            else:
                base = issuer.url
                self._json({
                    "issuer": base, "authorization_endpoint": f"{base}/authorize",
                    "token_endpoint": f"{base}/token", "jwks_uri": f"{base}/keys",
                })  # fmt: skip

        def do_POST(self) -> None:
            length = int(self.headers.get("content-length", "0"))
            form = dict(parse_qsl(self.rfile.read(length).decode()))
            given = issuer.token(form, self.headers.get("authorization", ""))
            self._json(given or {"error": "invalid_grant"}, 200 if given else 400)

        def _json(self, said: object, status: int = 200) -> None:
            body = json.dumps(said).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    return Handler
