from __future__ import annotations

import json

import plotly.graph_objects as go

from tracelab.reporting.page.figures import figure


def test_the_data_of_a_figure_cannot_end_the_script_that_holds_them() -> None:
    name = "</script><script>alert(1)</script><!--\u2028"
    html = figure(go.Figure(go.Bar(x=[1], y=[2], name=name), layout={"height": 321}))
    head, _, data = html.partition('<script type="application/json">')
    assert "height: 321px" in head
    assert data.count("<") == 2  # the end of the script and of the division
    assert json.loads(data.removesuffix("</script></div>"))["data"][0]["name"] == name
