"""Photos and masks in, completed photos out: one, a folder, many."""
