"""How the networks are learned: three trainers, their losses, callbacks and the schedule."""
