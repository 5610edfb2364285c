from __future__ import annotations

import pytest

from tracelab.checking.wording import linking
from tracelab.errors import TracelabError


@pytest.mark.parametrize(
    "url", ["", "http://jaeger", "javascript:alert('{trace_id}')", "http://a b/{trace_id}", "http://a/<{trace_id}>"]
)
def test_what_is_no_address_of_traces_is_refused(url: str) -> None:
    with pytest.raises(TracelabError, match="address of a trace"):
        linking(url)


def test_ids_cannot_leave_their_place_in_an_address() -> None:
    assert linking("http://a/{trace_id}")("../x?a=1#)>") == "http://a/..%2Fx%3Fa%3D1%23%29%3E"
