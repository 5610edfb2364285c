"""What secrets and personal data look like in text, and how keys are called that hold them.

The patterns are written so that both Python and polars read them: no looking around. What a pattern takes for a
secret is looked at by a check, since most of what has the shape of one is something else.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Class: TypeAlias = Literal["secret", "personal"]

SENSITIVE_KEY: Final = re.compile(
    r"(?:^|[._\-])(?:"
    r"passwords?|passwd|passphrase|pwd|secrets?|client[_\-.]?secret|secret[_\-.]?key|(?:x[_\-.])?api[_\-.]?keys?|apikey"
    r"|access[_\-.]?keys?|private[_\-.]?keys?|signing[_\-.]?key|encryption[_\-.]?key"
    r"|tokens?|(?:access|refresh|auth|id|bearer|session|csrf|security)[_\-.]?token|(?:proxy[_\-])?authorization|authorisation|bearer"
    r"|(?:set[_\-])?cookies?|credentials?|connection[_\-.]?string|jwt|jsessionid|phpsessid|sessid"
    r")$",
    re.IGNORECASE,
)
"""Keys whose values are secrets, if they are anything that can be one; the key ends with such a word."""

PASSWORD_KEY: Final = re.compile(r"(?:^|[._\-])(?:passwords?|passwd|passphrase|pwd)$", re.IGNORECASE)
"""Keys whose values are secret however simple they are."""

CARD_KEY: Final = re.compile(r"(?i)card|credit|(?:^|[._\-])(?:pan|cc|ccn|cc_?num(?:ber)?)(?:$|[._\-])|payment|billing")
PHONE_KEY: Final = re.compile(
    r"(?i)(?:^|[._\-])(?:tele)?phone(?:$|[._\-])|phone_?number|(?:^|[._\-])(?:mobile|msisdn)(?:$|[._\-])"
)
PERSON_NUMBER_KEY: Final = re.compile(r"(?i)(?:^|[._\-])(?:ssn|social_?security(?:_?number)?)$")
NUMBER_KEYS: Final = (PHONE_KEY, PERSON_NUMBER_KEY)
_PLACEHOLDER: Final = re.compile(
    r"""(?ix)
    ^[\s"']*(?:
        [*•xX.#_-]+ | \$\{?[\w.]*\}? | %\(?\w*\)?s? | :\w+ | \?+ | @\w+ | <[^>]*>? | \[[^\]]*\]? | \{[^}]*\}?
        | null | none | nil | undefined | true | false | yes | no | empty | n/a | unset
        | redacted | masked | hidden | filtered | removed | secret | password | token | string | bearer | basic
        | .*(?:\*{3,}|redacted|\bmasked\b|\[filtered|<hidden|x{6,}|\.{3}$|…).*
    )[\s"']*$
    """
)
_VERSION: Final = re.compile(r"v?\d+\.\d")
_ROLES: Final = frozenset({
    "abuse", "admin", "bot", "contact", "daemon", "dev", "donotreply", "git", "hello", "help", "hostmaster", "info",
    "mailer-daemon", "no-reply", "nobody", "noreply", "ops", "postmaster", "root", "sales", "security", "service",
    "support", "svc", "team", "user", "username", "webmaster",
})  # fmt: skip
_NO_DOMAINS: Final = frozenset({
    "class", "cluster", "corp", "css", "dll", "gif", "go", "gz", "home", "html", "internal", "intranet", "invalid",
    "jar", "java", "jpeg", "jpg", "js", "json", "lan", "local", "localdomain", "lock", "log", "map", "md", "mjs",
    "png", "py", "rb", "rs", "so", "svc", "svg", "tgz", "ts", "txt", "whl", "yaml", "yml", "zip",
})  # fmt: skip
_SEPARATORS: Final = str.maketrans("", "", " -")
_IBAN_LENGTHS: Final = {
    "AD": 24, "AE": 23, "AT": 20, "BE": 16, "BG": 22, "CH": 21, "CY": 28, "CZ": 24, "DE": 22, "DK": 18, "EE": 20,
    "ES": 24, "FI": 18, "FR": 27, "GB": 22, "GI": 23, "GR": 27, "HR": 21, "HU": 28, "IE": 22, "IL": 23, "IS": 26,
    "IT": 27, "LI": 21, "LT": 20, "LU": 20, "LV": 21, "MC": 27, "MT": 31, "NL": 18, "NO": 15, "PL": 28, "PT": 25,
    "RO": 24, "SA": 24, "SE": 24, "SI": 19, "SK": 24, "SM": 27, "TR": 26,
}  # fmt: skip
_REFERENCE: Final = re.compile(r"/|[A-Za-z_]\w*(?:\.[A-Za-z_]\w*|\[.*)+$|[a-z_]+_password$", re.ASCII)
"""What a password is read from: a path, a field, an item."""

_LOCATION: Final = re.compile(r"(?i)://|^arn:|(?:^|/)secrets?/|^/")
_PAGING_KEY: Final = re.compile(r"(?i)page|next|continuation|cursor|count|usage|max|limit|num|type|name|kind")
_PARTS: Final = re.compile(r"[\s,;=&\"']+")
_SHORTEST_PASSWORD: Final = 4
_LONGEST: Final = 10_000
_PHONE: Final = re.compile(r"\+?(?:[ ()./-]{0,2}\d){7,15}")
_PERSON_NUMBER: Final = re.compile(r"\d{3}-\d{2}-\d{4}")
_RANDOM_BITS: Final = 2.8
_SHORTEST_RANDOM: Final = 16


@dataclass(frozen=True)
class Kind:
    """A kind of secret or of personal data.

    Attributes
    ----------
    name
        What it is, with its article left out, for a sentence.
    cls
        Whether it is a secret or personal data.
    pattern
        Matches it in a text. A group is what is secret of it; without one, that is all of it.
    check
        Says whether what the pattern found is one.
    always
        Whether to hide what the pattern found even where the check says that it is none.
    """

    name: str
    cls: Class
    pattern: str
    check: Callable[[str], bool] | None = None
    always: bool = False

    @cached_property
    def compiled(self) -> re.Pattern[str]:
        """The pattern, ready for Python."""
        return re.compile(self.pattern)

    def found(self, text: str) -> Iterator[re.Match[str]]:
        """Find what is of this kind in a text."""
        for match in self.compiled.finditer(text):
            if self.check is None or self.check(secret_part(match)):
                yield match


def secret_part(match: re.Match[str]) -> str:
    """Give the part of what was found that is to be hidden."""
    return match[match.re.groups] or ""


def is_placeholder(value: str) -> bool:
    """Tell whether a value stands for a secret instead of being one: masked, empty, a parameter, a word."""
    return not value.strip() or bool(_PLACEHOLDER.match(value[:200]))


def is_random(value: str) -> bool:
    """Tell whether a text is as long and as irregular as keys and tokens are."""
    text = value.strip()
    if len(text) < _SHORTEST_RANDOM or any(character.isspace() for character in text):
        return False
    has_digit, has_letter = any(map(str.isdigit, text)), any(map(str.isalpha, text))
    mixed = text != text.lower() and text != text.upper()
    return has_letter and (has_digit or (mixed and text.isalnum())) and entropy(text[:200]) >= _RANDOM_BITS


def entropy(text: str) -> float:
    """Measure how irregular a text is, in bits per character."""
    return -sum(n / len(text) * math.log2(n / len(text)) for n in Counter(text).values())


def is_card_number(text: str) -> bool:
    """Tell whether digits can be the number of a payment card: by issuer, length and check digit."""
    digits = text.translate(_SEPARATORS)
    if not digits.isascii() or not digits.isdigit() or len(set(digits)) == 1:
        return False
    return len(digits) in _card_lengths(digits) and _passes_luhn(digits)


def is_account_number(text: str) -> bool:
    """Tell whether a text is an IBAN: by the length that its country has, and the check digits."""
    value = text.translate(_SEPARATORS).upper()
    if _IBAN_LENGTHS.get(value[:2]) != len(value) or not value.isalnum():
        return False
    return int("".join(str(int(character, 36)) for character in value[4:] + value[:4])) % 97 == 1


def is_address(text: str) -> bool:
    """Tell whether what has the shape of an e-mail address is one of a person."""
    name, _, domain = text.rpartition("@")
    return not (
        name.lower() in _ROLES
        or _VERSION.match(domain)
        or domain.rpartition(".")[2].lower() in _NO_DOMAINS
        or domain.lower().endswith("gserviceaccount.com")
    )


def _card_lengths(digits: str) -> tuple[int, ...]:
    two, three, four = int(digits[:2]), int(digits[:3]), int(digits[:4])
    if digits[0] == "4":
        return (13, 16)
    if 51 <= two <= 55 or 2221 <= four <= 2720:
        return (16,)
    if two in {34, 37}:
        return (15,)
    if two == 65 or four == 6011 or 644 <= three <= 649:
        return (16,)
    if 3528 <= four <= 3589:
        return (16,)
    if two in {36, 38} or 300 <= three <= 305:
        return (14,)
    return ()


def _passes_luhn(digits: str) -> bool:
    total = 0
    for place, digit in enumerate(reversed(digits)):
        doubled = int(digit) * (1 + place % 2)
        total += doubled - 9 if doubled > 9 else doubled
    return total % 10 == 0


def _is_basic(text: str) -> bool:
    try:
        said = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        return False
    return b":" in said and said.isascii() and not is_placeholder(said.decode("ascii").partition(":")[2])


def _is_assigned_password(text: str) -> bool:
    return len(text) >= _SHORTEST_PASSWORD and not is_placeholder(text) and not _REFERENCE.match(text)


def _is_password(text: str) -> bool:
    return not is_placeholder(text)


def _is_random_value(text: str) -> bool:
    return not is_placeholder(text) and is_random(text)


KINDS: Final = (
    Kind("private key", "secret", r"-----BEGIN (?:[A-Z]+ ){0,3}PRIVATE KEY-----"),
    Kind("JSON Web Token", "secret", r"\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]{8,}"),
    Kind("bearer token", "secret", r"(?i)\bbearer +([A-Za-z0-9_.~+/=-]{6,})", _is_random_value, always=True),
    Kind("user name and password", "secret", r"(?i)\bbasic +([A-Za-z0-9+/]{8,}={0,2})", _is_basic),
    Kind("key of AWS", "secret", r"\b(?:AKIA|ASIA)[A-Z2-7]{16}\b"),
    Kind("token of GitHub", "secret", r"\bgh[pousr]_[A-Za-z0-9]{30,}|\bgithub_pat_[A-Za-z0-9_]{22,}"),
    Kind("token of GitLab", "secret", r"\bglpat-[A-Za-z0-9_-]{20,}"),
    Kind(
        "token of Slack",
        "secret",
        r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}|hooks\.slack\.com/services/T[A-Z0-9]+/B[A-Z0-9]+/[A-Za-z0-9]{8,}",
    ),
    Kind("key of Stripe", "secret", r"\b[sr]k_(?:live|test)_[A-Za-z0-9]{16,}"),
    Kind("key of Google", "secret", r"\bAIza[A-Za-z0-9_-]{30,}|\bya29\.[A-Za-z0-9_-]{20,}|\bGOCSPX-[A-Za-z0-9_-]{20,}"),
    Kind("key of a model's API", "secret", r"\bsk-(?:proj-|ant-|svcacct-|or-v1-)?[A-Za-z0-9_-]{20,}", is_random),
    Kind("key of SendGrid", "secret", r"\bSG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{20,}"),
    Kind("token of a package registry", "secret", r"\bnpm_[A-Za-z0-9]{30,}|\bpypi-[A-Za-z0-9_-]{50,}"),
    Kind("key of Azure storage", "secret", r"AccountKey=([A-Za-z0-9+/]{40,}={0,2})"),
    Kind(
        "signature of a signed URL",
        "secret",
        r"(?i)\b(?:x-(?:amz|goog)-)?(?:signature|sig)=([A-Za-z0-9_%+/=-]{20,})",
        is_random,
    ),
    Kind(
        "password in a URL",
        "secret",
        r"\w://[^/\s:@?#'\"<>]*:([^/\s@?#'\"<>]+)@[\w\[]",
        _is_password,
        always=True,
    ),
    Kind(
        "password",
        "secret",
        r"(?i)\b(?:[A-Za-z0-9_]{1,20}[_-])?(?:password|passwd|pwd)(?:[\"']?\s{0,3}=\s{0,3}[\"']?|[\"']\s{0,3}:\s{0,3}[\"'])"
        r"([^\s&;,\"'<>()]+)",
        _is_assigned_password,
        always=True,
    ),
    Kind(
        "token or key",
        "secret",
        r"(?i)\b(?:client[_-]?secret|secret|(?:x[_-])?api[_-]?key|(?:secret[_-]?)?access[_-]?key"
        r"|(?:access|refresh|auth|id|session)[_-]?token|token|phpsessid|jsessionid|sessionid)"
        r"[\"']?\s{0,3}[=:]\s{0,3}[\"']?([^\s&;,\"'<>()]{6,})",
        _is_random_value,
        always=True,
    ),
    Kind(
        "e-mail address",
        "personal",
        r"\b[A-Za-z0-9][A-Za-z0-9_.%+-]{0,63}@[A-Za-z0-9][A-Za-z0-9-]{0,62}(?:\.[A-Za-z0-9-]{1,63}){0,5}\.[A-Za-z]{2,24}\b",
        is_address,
    ),
    Kind(
        "card number",
        "personal",
        r"\b\d{13,16}\b|\b\d{4}[ -]\d{4}[ -]\d{4}[ -]\d{4}\b|\b3\d{3}[ -]\d{6}[ -]\d{4,5}\b",
        is_card_number,
    ),
    Kind(
        "account number (IBAN)",
        "personal",
        r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b",
        is_account_number,
    ),
)
"""What is looked for in any text."""

_CARD: Final = next(kind for kind in KINDS if kind.name == "card number")
_SPACED: Final = re.compile(r"\b\d{4}[ -]\d{4}[ -]\d{4}[ -]\d{4}\b")
_USER_INFO: Final = re.compile(r"://[^/\s@]*@")
MAIL: Final = "e-mail address"
CARD: Final = "card number"
HINT: Final = (
    r"@|eyJ|-----BEGIN|AKIA|ASIA|gh[pousr]_|github_pat_|glpat-|xox[a-z]-|hooks\.slack|[sr]k_(?:live|test)_|AIza"
    r"|ya29\.|GOCSPX-|sk-|SG\.|npm_|pypi-|AccountKey|sig="
    r"|(?i:bearer |basic |passw|pwd|secret|token|api.?key|access.?key|sessi?o?n?id|signature=)"
    r"|[0-9]{13}|[0-9]{4}[ -][0-9]{4}|[0-9]{6}[ -][0-9]{4}|[A-Z]{2}[0-9]{2} ?[A-Z0-9]{4} ?[A-Z0-9]{4}"
)
"""Matches every text that any of the kinds matches, and more, and is fast."""


def secret_by_key(key: str, value: str) -> bool:
    """Tell whether the value of an attribute is a secret because its key says so."""
    if PASSWORD_KEY.search(key):
        return not is_placeholder(value) and not _REFERENCE.match(value)
    if not SENSITIVE_KEY.search(key) or _PAGING_KEY.search(key) or is_placeholder(value) or _LOCATION.search(value):
        return False
    return any(is_random(part) for part in _PARTS.split(value[:_LONGEST]))


def person_by_key(key: str, value: str) -> str | None:
    """Say what number of a person the value of an attribute is because its key says so."""
    if PHONE_KEY.search(key) and _PHONE.fullmatch(value.strip()):
        return "phone number"
    if PERSON_NUMBER_KEY.search(key) and _PERSON_NUMBER.fullmatch(value.strip()):
        return "social security number"
    return None


def kinds_in(text: str) -> list[tuple[Kind, str]]:
    """List what is in a text, with the part that is to be hidden; of several kinds of secrets only the first."""
    found: list[tuple[Kind, str]] = []
    rest = text[:_LONGEST]
    for kind in KINDS:
        if kind.cls == "secret" and found:
            continue
        if kind.cls == "personal":
            rest = _USER_INFO.sub("://", rest)
        found += [(kind, secret_part(match)) for match in kind.found(rest)][:1]
    return found


def is_spaced(text: str) -> bool:
    """Tell whether a text holds a number that is written as on a card, in groups of digits."""
    return bool(_SPACED.search(text[:_LONGEST]))


def can_be_card(text: str) -> bool:
    """Tell whether there is a number in a text as long as those of cards."""
    return bool(_CARD.compiled.search(text[:_LONGEST]))
