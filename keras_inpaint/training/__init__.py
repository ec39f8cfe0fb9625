"""Training: the trainers of the three phases, losses, callbacks and the schedule."""
