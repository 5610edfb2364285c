#!/bin/sh
# Run the shop and write sample_data/shop*, sample_data/traces/ and sample_data/TRUTH.md anew.
cd "$(dirname "$0")/.." && exec python3 -m shop.run "$@"
