"""Head sampling: decisions that are made when a span begins, replayed as SDKs and the Collector make them."""
