"""The process beside a gateway that has it enforce what the control plane says."""
