"""What explains spans that are missing better than a fault does: sampling, the window, a lost export."""
