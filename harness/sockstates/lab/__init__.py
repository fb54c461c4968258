"""The words of a scenario: hosts, endpoints, programs, rules, the wire, and what is expected."""
