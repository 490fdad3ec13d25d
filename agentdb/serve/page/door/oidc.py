"""OpenID Connect: an issuer says who somebody is; authlib asks it."""

from __future__ import annotations

import logging
import secrets
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import anyio
import httpx
from authlib.integrations.httpx_client import AsyncOAuth2Client
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from .carried import is_plain
from .origin import is_token
from .person import NoIdentity
from .settings import Oidc

logger = logging.getLogger("agentdb.serve")

# Signed by a key that only the issuer has; `none` and those of a shared secret are not.
SIGNATURES = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384",
              "ES512", "EdDSA", "Ed25519"]  # fmt: skip
WITHIN, MOST_BEGUN = 600.0, 1000
# Clocks differ, in seconds.
LEEWAY = 60
PATIENCE = 5.0
# How often keys are asked for anew, at the most, in seconds.
AGAIN = 30.0
ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")


@dataclass(frozen=True)
class Begun:
    """A login that a browser has begun."""

    guest: str
    nonce: str
    verifier: str
    callback: str
    to: str
    at: float


class Issuer:
    """One issuer, what is known of it, and the logins that are under way."""

    def __init__(self, settings: Oidc) -> None:
        self._settings = settings
        self._begun: OrderedDict[str, Begun] = OrderedDict()
        self._metadata: dict[str, Any] = {}
        self._keys: KeySet | None = None
        self._asked = 0.0

    async def begin(self, callback: str, to: str, guest: str) -> str:
        """Return where the browser is sent to; raises NoIdentity."""
        found = await self._described()
        begun = Begun(
            guest,
            secrets.token_urlsafe(32),
            secrets.token_urlsafe(64),
            callback,
            to,
            time.monotonic(),
        )
        async with self._client(callback) as client:
            there, state = client.create_authorization_url(
                found["authorization_endpoint"],
                nonce=begun.nonce,
                code_verifier=begun.verifier,
                state=secrets.token_urlsafe(32),
            )
        while len(self._begun) >= MOST_BEGUN:
            self._begun.popitem(last=False)
        self._begun[str(state)] = begun
        return str(there)

    async def end(self, answer: Mapping[str, str], guest: str) -> tuple[str, str]:
        """Return who it is, and where they wanted to go; raises NoIdentity."""
        begun = self._begun.pop(answer.get("state", ""), None)
        if begun is None or time.monotonic() - begun.at > WITHIN:
            raise NoIdentity("This login was not begun here, or too long ago.")
        # Whoever began it has the cookie: nobody is logged in as somebody else.
        if not is_token(guest, begun.guest):
            raise NoIdentity("This login was begun in another browser.")
        if answer.get("iss", self._settings.issuer) != self._settings.issuer:
            raise NoIdentity("Another issuer answered.")
        if "code" not in answer:
            raise NoIdentity("The issuer of identities let nobody in.")
        claims = await self._claims(await self._token(begun, answer["code"]))
        if not is_token(str(claims.get("nonce", "")), begun.nonce):
            raise NoIdentity("The issuer's answer is of another login.")
        return self._subject(claims), begun.to

    async def _token(self, begun: Begun, code: str) -> str:
        found = await self._described()
        try:
            async with self._client(begun.callback) as client:
                given = await client.fetch_token(
                    found["token_endpoint"],
                    grant_type="authorization_code",
                    code=code,
                    code_verifier=begun.verifier,
                )
        # authlib asks by httpx2 where that is installed, else by httpx: two families.
        except Exception as error:
            logger.warning("agentdb: the issuer gives no token: %s", error)
            raise NoIdentity("The issuer of identities refused the login.") from error
        token = given.get("id_token")
        if not isinstance(token, str):
            raise NoIdentity("The issuer of identities does not say who it is.")
        return token

    async def _claims(self, token: str) -> dict[str, Any]:
        """Return what a token says, which the issuer has signed for us, now."""
        claims = jwt.JWTClaimsRegistry(
            now=int(time.time()),
            leeway=LEEWAY,
            iss={"essential": True, "value": self._settings.issuer},
            aud={"essential": True, "value": self._settings.client},
            sub={"essential": True},
            exp={"essential": True},
            iat={"essential": True},
        )
        try:
            try:
                read = jwt.decode(token, await self._key_set(), algorithms=SIGNATURES)
            except (JoseError, ValueError):
                # It may have another key since.
                keys = await self._key_set(anew=True)
                read = jwt.decode(token, keys, algorithms=SIGNATURES)
            claims.validate(read.claims)
        except (JoseError, ValueError) as error:
            raise NoIdentity("The issuer's answer cannot be believed.") from error
        party = read.claims.get("azp", self._settings.client)
        if party != self._settings.client:
            raise NoIdentity("The issuer's answer is for somebody else.")
        return read.claims

    def _subject(self, claims: Mapping[str, Any]) -> str:
        if self._settings.subject == "email":
            email = claims.get("email")
            if claims.get("email_verified") is not True or not isinstance(email, str):
                raise NoIdentity("The issuer has not verified the address.")
            if "@" not in email or not is_plain(email):
                raise NoIdentity("The address is none.")
            return email
        subject = claims["sub"]
        if not isinstance(subject, str) or not is_plain(subject):
            raise NoIdentity("The issuer's name for you is none.")
        return f"{self._settings.issuer} {subject}"

    def _client(self, callback: str) -> AsyncOAuth2Client:
        return AsyncOAuth2Client(
            self._settings.client,
            self._settings.secret or None,
            scope="openid email" if self._settings.subject == "email" else "openid",
            redirect_uri=callback,
            code_challenge_method="S256",
            token_endpoint_auth_method=(
                "client_secret_basic" if self._settings.secret else "none"
            ),
            timeout=PATIENCE,
            trust_env=False,
        )

    async def _described(self) -> dict[str, Any]:
        """Return what the issuer says of itself, once."""
        if not self._metadata:
            base = self._settings.issuer.rstrip("/")
            found = await _json(f"{base}/.well-known/openid-configuration")
            if found.get("issuer") != self._settings.issuer:
                raise NoIdentity("The issuer of identities calls itself otherwise.")
            if not all(self._is_safe(found.get(each)) for each in ENDPOINTS):
                raise NoIdentity("The issuer of identities has no safe addresses.")
            self._metadata = found
        return self._metadata

    def _is_safe(self, address: object) -> bool:
        """Return whether an address is by https, as that of the issuer."""
        scheme = urlsplit(str(address)).scheme
        return scheme == "https" or scheme == urlsplit(self._settings.issuer).scheme

    async def _key_set(self, anew: bool = False) -> KeySet:
        now = time.monotonic()
        if self._keys is None or (anew and now - self._asked > AGAIN):
            found = await self._described()
            self._asked = now
            self._keys = KeySet.import_key_set(await _json(found["jwks_uri"]))  # type: ignore[arg-type]
        return self._keys


async def _json(address: str) -> dict[str, Any]:
    try:
        with anyio.fail_after(PATIENCE):
            async with httpx.AsyncClient(timeout=PATIENCE, trust_env=False) as client:
                answer = await client.get(address)
        answer.raise_for_status()
        found = answer.json()
    except (httpx.HTTPError, ValueError, TimeoutError) as error:
        raise NoIdentity("The issuer of identities does not answer.") from error
    if not isinstance(found, dict):
        raise NoIdentity("The issuer of identities does not answer so.")
    return found
