# What the room answers: imported when it is first used.
from .coverage import attribute_coverage as attribute_coverage
from .examining import audit as audit
from .modernising import modernise as modernise
from .repairs import repair_splits as repair_splits
from .score import instrumentation_score as instrumentation_score
