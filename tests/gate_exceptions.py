"""Who does what looks like going around the gate, and why that is well."""

READS_SYSCTLS = {
    "harness.doctor.survey": "tells what the machine allows; opens nothing for writing",
    "harness.predict": "predicts from the sysctls in force; opens nothing for writing",
}
READS_NETLINK = {
    "harness.lab.socket_diagnostics": "sock_diag only tells; it cannot change a network",
}
READS_FRAMES = {
    "harness.lab.packet_ring": "what passes an interface, into a ring; sends nothing",
}
STEERS_RECORDING = {
    "harness.lab.perf_events": "what the kernel writes into a ring; nothing of a network",
}
SETS_UP_A_GUEST = {
    "harness.virtual.init": "process 1 of a kernel of its own; its first call fails elsewhere",
}
STARTS_PROCESSES = {
    "harness.virtual.boot_check": "starts a virtual kernel, to see that it boots",
    "harness.virtual.debian": "apt-get and dpkg-deb, to fetch a kernel's source",
    "harness.virtual.guest": "starts a virtual kernel",
    "harness.virtual.init": "starts the command that a virtual kernel is for, inside it",
    "harness.virtual.make": "make, to build a virtual kernel",
    "harness.virtual.requirements": "asks what a compiler can do",
    "harness.virtual.trees": "tar and dpkg-deb, to unpack a kernel's source",
    "harness.lab.sandbox": "starts the sandbox, which leaves the namespace first of all",
    "harness.lab.programs": "starts what a scenario asks for, inside a host",
}
