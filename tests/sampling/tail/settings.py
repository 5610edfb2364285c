"""Settings of every policy type that looks at spans alone, for the sample traces: name, then policies."""

from __future__ import annotations

from typing import Any, Final


def one(kind: str, **settings: Any) -> list[dict[str, Any]]:
    """Give a list of one policy."""
    return [policy("it", kind, **settings)]


def policy(name: str, kind: str, **settings: Any) -> dict[str, Any]:
    """Give a policy with its settings."""
    return {"name": name, "type": kind, **({kind: settings} if settings else {})}


def _and(name: str, *subs: dict[str, Any]) -> dict[str, Any]:
    return policy(name, "and", and_sub_policy=list(subs))


def _drop(name: str, *subs: dict[str, Any]) -> dict[str, Any]:
    return policy(name, "drop", drop_sub_policy=list(subs))


def _not(name: str, sub: dict[str, Any]) -> dict[str, Any]:
    return policy(name, "not", not_sub_policy=sub)


_ERRORS: Final = policy("errors", "status_code", status_codes=["ERROR"])
_SLOW: Final = policy("slow", "latency", threshold_ms=100)
_FLAGGED: Final = policy("flagged", "trace_flags")
_SHARE: Final = policy("share", "probabilistic", sampling_percentage=50)
_ALL: Final = policy("all", "always_sample")
_FAILING: Final = policy("odd", "ottl_condition", error_mode="propagate", span=['Len(attributes["http.route"]) > 3'])
_PYTHON: Final = policy("python", "string_attribute", key="telemetry.sdk.language", values=["python"])

STATELESS: Final[dict[str, dict[str, list[dict[str, Any]]]]] = {
    "always_sample": {"always": one("always_sample"), "nothing": []},
    "latency": {
        f"over-{low}-{high}": one("latency", threshold_ms=low, upper_threshold_ms=high)
        for low, high in ((0, 0), (1, 0), (20, 0), (100, 0), (100_000, 0), (5, 20), (50, 200), (100, 50), (0, 3))
    },
    "numeric_attribute": {
        **{
            f"{key}-{low}-{high}-{invert}": one(
                "numeric_attribute", key=key, min_value=low, max_value=high, invert_match=invert
            )
            for key, low, high in (
                ("http.response.status_code", 400, 599),
                ("http.response.status_code", 404, 0),
                ("payment.cents", 0, 2000),
                ("net.peer.port", 1, 100_000),
                ("net.peer.port", -5, 5),
                ("error.type", 400, 599),
                ("http.route", -1, 1),
                ("missing", -1, 1),
            )
            for invert in (False, True)
        },
    },
    "boolean_attribute": {
        f"{key}-{value}-{invert}": one("boolean_attribute", key=key, value=value, invert_match=invert)
        for key in ("cache.hit", "analysis.partial", "http.route", "host.name", "missing")
        for value in (True, False)
        for invert in (False, True)
    },
    "string_attribute": {
        **{
            f"{key}-{number}-{invert}": one("string_attribute", key=key, values=values, invert_match=invert)
            for number, (key, values) in enumerate(
                (
                    ("http.route", ["/checkout", "/cart", ""]),
                    ("service.name", ["recommender"]),
                    ("error.type", ["500", "timeout"]),
                    ("http.response.status_code", ["500"]),
                    ("http.route", []),
                )
            )
            for invert in (False, True)
        },
        **{
            f"{key}-regex-{number}-{invert}": one(
                "string_attribute", key=key, values=values, enabled_regex_matching=True, invert_match=invert
            )
            for number, (key, values) in enumerate(
                (
                    ("http.route", ["^/c", r"\d+$"]),
                    ("service.name", ["re.*er", "zzz"]),
                    ("http.response.status_code", [".*"]),
                    ("host.name", [""]),
                    ("missing", [".*"]),
                    ("url.path", [r"/[[:alpha:]]+/\d{3}\b", "(?i)CART"]),
                )
            )
            for invert in (False, True)
        },
    },
    "status_code": {
        "-".join(codes): one("status_code", status_codes=codes) for codes in (["ERROR"], ["OK"], ["UNSET", "OK"])
    },
    "trace_state": {
        f"{key}-{len(values)}": one("trace_state", key=key, values=values)
        for key, values in (("vendor", ["gold"]), ("ot", ["th:8", "th:c"]), ("a@b", ["1", "2"]), ("none", ["x"]))
    },
    "trace_flags": {"flags": one("trace_flags")},
    "span_count": {
        f"{low}-{high}": one("span_count", min_spans=low, max_spans=high)
        for low, high in ((0, 0), (2, 0), (10, 0), (1, 1), (5, 12), (9, 3))
    },
    "probabilistic": {
        **{
            f"{share}": one("probabilistic", sampling_percentage=share)
            for share in (0, 0.01, 1, 10, 33.3, 50, 99.99, 100, 150, -1)
        },
        "salted": one("probabilistic", sampling_percentage=20, hash_salt="pepper"),
    },
    "ottl_condition": {
        **{
            f"span-{number}": one("ottl_condition", error_mode="ignore", span=list(conditions))
            for number, conditions in enumerate(
                (
                    ["status.code == STATUS_CODE_ERROR"],
                    [
                        'attributes["http.response.status_code"] >= 400',
                        'resource.attributes["service.name"] == "nobody"',
                    ],
                    ['IsMatch(attributes["http.route"], "^/c") and kind == SPAN_KIND_SERVER'],
                    ["(end_time_unix_nano - start_time_unix_nano) > 50000000"],
                    ['attributes["net.peer.port"] != nil and not IsInt(attributes["net.peer.port"])'],
                    ["IsRootSpan()"],
                    ['Int(attributes["error.type"]) == 500'],
                )
            )
        },
        **{
            f"event-{number}": one("ottl_condition", error_mode="ignore", spanevent=list(conditions))
            for number, conditions in enumerate(
                (['name == "exception"'], ['IsMatch(name, "re.?try")', 'name == "message"'])
            )
        },
        "both": one("ottl_condition", error_mode="silent", span=['name == "GET"'], spanevent=['name == "exception"']),
        "propagated": one("ottl_condition", error_mode="propagate", span=['attributes["net.peer.port"] > 5']),
        "failing": one("ottl_condition", error_mode="propagate", span=['Len(attributes["http.route"]) > 3']),
    },
    "and": {
        "slow-errors": [_and("both", _ERRORS, _SLOW)],
        "slow-share": [_and("both", _SLOW, _SHARE)],
        "no-errors": [_and("both", _not("no", _ERRORS), _SLOW)],
        "nothing": [_and("both")],
        "failing": [_and("both", _SLOW, _FAILING)],
    },
    "not": {
        "no-errors": [_not("no", _ERRORS)],
        "not-slow": [_not("no", _SLOW)],
        "rest": [_not("no", _SHARE)],
        "failing": [_not("no", _FAILING)],
    },
    "drop": {
        "errors": [_ALL, _drop("off", _ERRORS)],
        "slow-errors": [_drop("off", _ERRORS, _SLOW), _ALL],
        "two": [_ALL, _drop("one", _PYTHON, _not("no", _ERRORS)), _drop("two", _SLOW)],
        "everything": [_ALL, _drop("off")],
    },
    "several": {
        "three-rules": [_ERRORS, _SLOW, policy("rest", "probabilistic", sampling_percentage=1)],
        "order": [_SHARE, _SLOW, _ERRORS],
        "inverted": [policy("i", "string_attribute", key="http.route", values=["/cart"], invert_match=True), _ERRORS],
        "all": [_drop("off", _PYTHON, _SHARE), _and("both", _SLOW, _FLAGGED), _ERRORS, _not("fast", _SLOW)],
    },
}
