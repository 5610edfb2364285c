"""What several rules measure: whom calls are meant for, which spans belong together, how far clocks are apart."""
