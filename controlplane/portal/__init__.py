"""The web pages of the control plane, and the files that they are made of."""
