"""What several rules measure."""
