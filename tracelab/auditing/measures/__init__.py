"""What several rules measure: whom calls are meant for, which spans belong together, what coincidence would give."""
