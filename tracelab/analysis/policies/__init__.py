"""What a sampling policy costs and hides: reports, comparisons, and plans within a budget."""
