"""The analysis of one piece of content: fetch, embed, then three agents at once.

Every step waits as long as a real one would take. How long, and whether it fails, depends only on the
content's address, so every run of the same load has the same faults.
"""

from __future__ import annotations

import asyncio
import random
import zlib
from dataclasses import dataclass

from opentelemetry import trace

tracer = trace.get_tracer("content.analysis", "2.1.0")

TYPE_FACTOR = {"article": 1.0, "image": 1.4, "video": 2.6}
AGENT_SECONDS = {"summary_agent": 0.080, "topic_agent": 0.055, "safety_agent": 0.035}
AGENT_LIMIT = 0.9


class ContentUnavailableError(Exception):
    """The origin no longer has the content."""


class EmbeddingError(Exception):
    """The content has no text that could be embedded."""


@dataclass(frozen=True)
class Content:
    url: str
    content_type: str
    user_id: str

    @property
    def name(self) -> str:
        return self.url.rsplit("/", 1)[-1]

    def rng(self, step: str) -> random.Random:
        return random.Random(zlib.crc32(f"{step} {self.url}".encode()))


async def work(content: Content, step: str, median: float) -> random.Random:
    """Wait around the step's median; a lognormal has the long tail that real services have."""
    rng = content.rng(step)
    await asyncio.sleep(median * TYPE_FACTOR[content.content_type] * rng.lognormvariate(0, 0.35))
    return rng


async def analyze_content(content: Content) -> dict[str, object]:
    with tracer.start_as_current_span("analyze_content") as span:
        span.set_attribute("content.url", content.url)
        span.set_attribute("content.type", content.content_type)
        span.set_attribute("user.id", content.user_id)
        size = await fetch_content(content)
        await generate_embedding(content, size)
        answers = await asyncio.gather(*(ask_agent(content, agent) for agent in AGENT_SECONDS), return_exceptions=True)
        answered = {
            name: answer for name, answer in zip(AGENT_SECONDS, answers, strict=True) if isinstance(answer, str)
        }
        # A missing agent makes the answer poorer, not wrong: the user never sees that it failed.
        span.set_attribute("analysis.partial", len(answered) < len(AGENT_SECONDS))
        return {"url": content.url, "agents": answered}


async def fetch_content(content: Content) -> int:
    with tracer.start_as_current_span("fetch_content", attributes={"content.url": content.url}) as span:
        rng = await work(content, "fetch", 0.040)
        if content.name.startswith("slowcdn-"):
            await asyncio.sleep(rng.uniform(0.6, 1.5))
        if content.name.startswith("gone-"):
            raise ContentUnavailableError(f"the origin answered 404 for {content.url}")
        size = int(rng.lognormvariate(10, 1) * TYPE_FACTOR[content.content_type])
        span.set_attribute("content.size", size)
        return size


async def generate_embedding(content: Content, size: int) -> None:
    with tracer.start_as_current_span("generate_embedding") as span:
        span.set_attribute("embedding.model", "tiny-embed-2")
        span.set_attribute("embedding.chunks", 1 + size // 8192)
        await work(content, "embed", 0.025)
        if content.name.startswith("garbled-"):
            raise EmbeddingError("no text found in the content")


async def ask_agent(content: Content, agent: str) -> str:
    with tracer.start_as_current_span(agent, attributes={"gen_ai.agent.name": agent}) as span:
        async with asyncio.timeout(AGENT_LIMIT):
            rng = await work(content, agent, AGENT_SECONDS[agent])
            if agent == "topic_agent" and content.name.startswith("stalled-"):
                span.add_event("waiting for a free model slot", {"queue.length": rng.randrange(3, 30)})
                await asyncio.sleep(5)
        span.set_attribute("gen_ai.usage.output_tokens", rng.randrange(20, 400))
        return f"{agent} finished"
