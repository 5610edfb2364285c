"""Names and values that should not be there: ids in span names, secrets, personal data."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from tracelab.workload.faults.plot import HANDFUL, Fault, Plot
from tracelab.workload.ids import hex_ids, uuids
from tracelab.workload.systems.endpoints import CONSUMER, INTERNAL, SERVER
from tracelab.workload.systems.landscape import DATABASE, HTTP, QUEUE, WORK

if TYPE_CHECKING:
    from tracelab.array_types import Flags, Ints

_FIRST: Final = ("ada", "bo", "carla", "dmitri", "elif", "fatou", "giorgos", "hana", "ines", "jonas", "kofi", "lena")
_LAST: Final = (
    "okafor",
    "smith",
    "lopez",
    "ivanova",
    "yilmaz",
    "diop",
    "meyer",
    "tanaka",
    "costa",
    "berg",
    "mensah",
    "vogel",
)
_MAILS: Final = ("gmail.com", "example.org", "outlook.com", "web.de", "yahoo.co.uk")
_ISSUERS: Final = ("4", "51", "52", "53", "55", "37")
_LETTERS: Final = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
_BASE32: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


def unbounded_span_names(plot: Plot) -> Fault | None:
    """Put what differs from request to request into the names of one service's spans of one kind."""
    draft = plot.draft
    sorts = {
        "server": (draft.kind == SERVER) & (draft.hop == HTTP),
        "query": draft.hop == DATABASE,
        "work": (draft.hop == WORK) & (draft.kind == INTERNAL),
        "message": (draft.hop == QUEUE) & (draft.kind == CONSUMER),
    }
    offered = [
        (sort, service)
        for sort, shown in sorts.items()
        for service in plot.services(shown, subject="names", least=4 * HANDFUL)
    ]
    place = plot.pick(range(len(offered)))
    if place is None:
        return None
    sort, service = offered[place]
    plot.claim(("names", service))
    shown = sorts[sort] & draft.keep & (draft.service == service)
    # One operation of it: another that is named well stands beside.
    names = draft.frame["name"].filter(pl.Series(shown)).value_counts(sort=True)
    shown &= (draft.frame["name"] == names["name"][0]).to_numpy()
    rows = np.flatnonzero(shown)
    number = pl.Series(plot.rng.permutation(900_000)[: rows.size] + 1_000).cast(pl.String)
    what = str(plot.rng.choice(["number", "uuid", "hex", "mail"]))
    varying = {
        "number": number,
        "uuid": uuids(plot.rng, rows.size),
        "hex": hex_ids(plot.rng, rows.size, 8),
        "mail": pl.Series(_mails(plot.rng, rows.size)),
    }[what]
    plain = names["name"][0]
    shape = {
        "server": f"{plain.split(' ')[0]} {_path_of(plain)}/{{}}",
        "query": f"{plain} WHERE id = '{{}}'",
        "work": f"{plain} {{}}",
        "message": f"{plain}.{{}}",
    }[sort]
    _put(plot, "name", rows, pl.select(pl.format(shape.replace("{}", "{}"), varying)).to_series())
    return Fault(
        "unbounded-span-names",
        ("unbounded-span-names",),
        f"Names of {plot.name(service)} hold a {what}: {shape}.",
        rows,
        services=(service,),
        consequences=("personal-data-in-attributes",) if what == "mail" else (),
    )


def secret_in_attributes(plot: Plot) -> Fault | None:
    """Write a secret into an attribute of one service's spans: a token, a key, a password."""
    rng = plot.rng
    choices: dict[str, Any] = {
        "span.http.request.header.authorization": lambda n: [f"Bearer {_jwt(rng)}" for _ in range(n)],
        "span.http.request.header.x-api-key": lambda n: [_random(rng, 40) for _ in range(n)],
        "span.aws.access_key": lambda n: [f"AKIA{_random(rng, 16, _BASE32)}"] * n,
        "span.db.connection_url": lambda n: [f"postgres://shop:{_random(rng, 12)}@db.internal:5432/shop"] * n,
        "span.callback.url": lambda n: [
            f"https://hooks.shop.example/done?access_token={_random(rng, 32)}" for _ in range(n)
        ],
        "span.payment.gateway.key": lambda n: [f"sk_live_{_random(rng, 24)}"] * n,
        "span.session.jwt": lambda n: [_jwt(rng) for _ in range(n)],
        "span.vcs.token": lambda n: [f"ghp_{_random(rng, 36)}"] * n,
        "span.login.password": lambda n: [_random(rng, 10) for _ in range(n)],
    }
    return _values(plot, "secret-in-attributes", choices, "error")


def personal_data_in_attributes(plot: Plot) -> Fault | None:
    """Write personal data into an attribute of one service's spans: e-mail addresses, numbers of cards and accounts."""
    rng = plot.rng
    choices: dict[str, Any] = {
        "span.user.email": lambda n: _mails(rng, n),
        "span.customer.contact": lambda n: [f"{name.split('@')[0].title()} <{name}>" for name in _mails(rng, n)],
        "span.payment.card.number": lambda n: [_card(rng) for _ in range(n)],
        "span.payment.request": lambda n: [f'{{"card":"{_spaced(_card(rng))}","amount":12}}' for _ in range(n)],
        "span.payout.iban": lambda n: [_iban(rng) for _ in range(n)],
        "span.search.filter": lambda n: [f"email = '{mail}'" for mail in _mails(rng, n)],
    }
    return _values(plot, "personal-data-in-attributes", choices, "warning")


def _values(plot: Plot, kind: str, choices: dict[str, Any], severity: str) -> Fault | None:
    draft = plot.draft
    # An attribute is planted once: by its key, whoever writes it.
    keys = [key for place, key in enumerate(choices) if plot.is_free((kind, place))]
    service = plot.pick(plot.services(np.isin(draft.hop, (HTTP, WORK, DATABASE)), subject=f"{kind} service"))
    place = plot.pick(range(len(keys)))
    if service is None or place is None:
        return None
    key = keys[place]
    plot.claim((kind, list(choices).index(key)), (f"{kind} service", service))
    rows = np.flatnonzero(draft.keep & (draft.service == service) & np.isin(draft.hop, (HTTP, WORK, DATABASE)))
    rows = np.sort(plot.rng.permutation(rows)[: max(HANDFUL, rows.size // 4)])
    _put(plot, key, rows, pl.Series(choices[key](rows.size), dtype=pl.String))
    scope, _, bare = key.partition(".")
    return Fault(
        kind,
        (kind,),
        f"{plot.name(service)} writes {bare} on its {scope}s.",
        rows,
        services=(service,),
        severity=severity,
    )


def _put(plot: Plot, column: str, rows: Ints, values: pl.Series) -> None:
    draft = plot.draft
    places = np.zeros(draft.parent.size, dtype=np.int64)
    places[rows] = np.arange(rows.size)
    shown: Flags = np.zeros(draft.parent.size, dtype=bool)
    shown[rows] = True
    draft.frame = draft.frame.with_columns(values.gather(places).alias("_new"))
    draft.put(column, shown, pl.col("_new"))
    draft.frame = draft.frame.drop("_new")


def _path_of(name: str) -> str:
    return "/" + "/".join(part for part in name.rsplit(" ", maxsplit=1)[-1].split("/") if part and part[0] not in "{:<")


def _random(rng: np.random.Generator, length: int, letters: str = _LETTERS) -> str:
    return "".join(letters[place] for place in rng.integers(0, len(letters), length).tolist())


def _jwt(rng: np.random.Generator) -> str:
    body = base64.urlsafe_b64encode(f'{{"sub":"{rng.integers(10**9)}","exp":1790000000}}'.encode()).decode().rstrip("=")
    return f"eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.{body}.{_random(rng, 43)}"


def _mails(rng: np.random.Generator, count: int) -> list[str]:
    first, last, at, year = (
        rng.integers(0, size, count).tolist() for size in (len(_FIRST), len(_LAST), len(_MAILS), 99)
    )
    return [f"{_FIRST[a]}.{_LAST[b]}{d}@{_MAILS[c]}" for a, b, c, d in zip(first, last, at, year, strict=True)]


def _card(rng: np.random.Generator) -> str:
    """Draw a number that an issuer could have given, with its check digit."""
    prefix = _ISSUERS[int(rng.integers(len(_ISSUERS)))]
    length = 15 if prefix == "37" else 16
    body = prefix + "".join(str(digit) for digit in rng.integers(0, 10, length - 1 - len(prefix)).tolist())
    doubled = [int(digit) * (2 if place % 2 == 0 else 1) for place, digit in enumerate(reversed(body))]
    return f"{body}{-sum(digit - 9 if digit > 9 else digit for digit in doubled) % 10}"


def _spaced(card: str) -> str:
    return " ".join(card[place : place + 4] for place in range(0, len(card), 4))


def _iban(rng: np.random.Generator) -> str:
    account = "".join(str(digit) for digit in rng.integers(0, 10, 18).tolist())
    check = 98 - int(f"{account}131400") % 97
    return f"DE{check:02d}{account}"
