"""Training: three trainers, their losses, callbacks and the schedule."""
