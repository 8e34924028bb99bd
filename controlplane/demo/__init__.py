"""What `controlplane serve --demo` has to show at once: a company that sells our own APIs."""
