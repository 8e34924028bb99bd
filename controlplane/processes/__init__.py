"""What the control plane does by itself: timers that give commands as anybody else does."""
