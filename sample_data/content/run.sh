#!/bin/sh
# Run the content analysis system and write sample_data/content.otlp.jsonl.gz anew.
cd "$(dirname "$0")/.." && exec python3 -m content.run "$@"
