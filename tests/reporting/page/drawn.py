"""A small shop: requests that succeed, fail, repeat calls, and wait."""

from __future__ import annotations

from tracelab.synthetic import draw

GOOD = """
web::POST /pay    ==========          kind=server http.response.status_code=200
  web::POST       .========           kind=client
    bank::charge  ..======            kind=server http.response.status_code=200
"""
BAD = """
web::POST /pay    ==========!         kind=server http.response.status_code=502
  web::POST       .========!          kind=client
    bank::charge  ..======!           kind=server http.response.status_code=503
"""
LIST = """
shop::GET /list   ==================  kind=server http.response.status_code=200
  shop::SELECT    .==                 kind=client
  shop::SELECT    ...==               kind=client
  shop::SELECT    .....==             kind=client
  shop::SELECT    .......==           kind=client
  shop::SELECT    .........==         kind=client
  shop::SELECT    ...........==       kind=client
"""
SHOP = draw("\n".join([GOOD] * 30 + [BAD] * 12 + [LIST] * 10))
