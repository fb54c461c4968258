"""Who does what looks like going around the gate, and why that is well."""

WITNESSES = "sockstates.sandbox.witnesses"
READS_SYSCTLS = {
    "sockstates.commands.doctor.survey": "tells what the machine allows; opens nothing for writing",
    "sockstates.commands.predict": "predicts from the sysctls in force; opens nothing for writing",
}
READS_NETLINK = {
    f"{WITNESSES}.socket_diagnostics": "sock_diag only tells; it cannot change a network",
}
READS_FRAMES = {
    f"{WITNESSES}.packet_ring": "what passes an interface, into a ring; sends nothing",
}
STEERS_RECORDING = {
    f"{WITNESSES}.perf_events": "what the kernel writes into a ring; nothing of a network",
}
SETS_UP_A_GUEST = {
    "sockstates.virtual.init": "process 1 of a kernel of its own; its first call fails elsewhere",
}
STARTS_PROCESSES = {
    "sockstates.virtual.boot_check": "starts a virtual kernel, to see that it boots",
    "sockstates.virtual.debian": "apt-get and dpkg-deb, to fetch a kernel's source",
    "sockstates.virtual.guest": "starts a virtual kernel",
    "sockstates.virtual.init": "starts the command that a virtual kernel is for, inside it",
    "sockstates.virtual.make": "make, to build a virtual kernel",
    "sockstates.virtual.requirements": "asks what a compiler can do",
    "sockstates.virtual.trees": "tar and dpkg-deb, to unpack a kernel's source",
    "sockstates.sandbox.client.sandbox": "the sandbox, which leaves the namespace first of all",
    "sockstates.sandbox.agent.programs": "starts what a scenario asks for, inside a host",
}
