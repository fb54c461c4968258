# All scenarios in a container. Build it, and run it (docs/containers.md has every way, from the
# one that opens least to the one that opens most):
#     docker build -t sockstates .
#     docker run --rm --network none --user person --security-opt systempaths=unconfined \
#         --security-opt seccomp=unconfined --security-opt apparmor=unconfined sockstates
#
# What each permission is for:
#     systempaths=unconfined    a new /proc for the hosts, where CAP_SYS_ADMIN is not given
#     seccomp=unconfined        user namespaces, which Docker's filter forbids without CAP_SYS_ADMIN
#     apparmor=unconfined       mounts, which Docker's profile forbids to everybody
#     CAP_SYS_ADMIN             (as root) namespaces, and a /proc in them
#     CAP_NET_ADMIN             (as root) the cables between hosts
#     CAP_SETUID, CAP_SETGID, CAP_SETFCAP    (as root) a user namespace that has every user
#     CAP_PERFMON               (as root, if you want it) the kernel's tracepoints
#
# To keep the report, give a folder that the container's user may write to, and name it to pytest:
#     mkdir lab-report
#     docker run … --user "$(id -u)" -v "$PWD/lab-report:/report" sockstates --lab-report /report
#
# To build the same image tomorrow, pin the base by the digest that `docker buildx imagetools
# inspect debian:bookworm-slim` prints:
#     docker build --build-arg BASE=debian:bookworm-slim@sha256:… -t sockstates .
#
# tshark and its libraries are 172 of the image's 389 MB, for two scenarios. Without them:
#     docker build --build-arg TSHARK= -t sockstates .
#     docker run … sockstates -k "not wireshark"
ARG BASE=debian:bookworm-slim

# sockstates and the Python packages that it needs. pip stays in this stage.
FROM ${BASE} AS packages
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        python3 python3-venv \
    && apt-get clean && rm -rf /var/lib/apt/lists/*
WORKDIR /build
RUN python3 -m venv /pip && python3 -m venv --without-pip /opt/python
COPY pyproject.toml README.md LICENSE ./
COPY harness harness
RUN /pip/bin/pip wheel --no-cache-dir --wheel-dir /wheels '.[parallel]' \
    && /pip/bin/pip --python /opt/python/bin/python install --no-cache-dir --no-index \
        --find-links /wheels 'sockstates[parallel]'

FROM ${BASE}
ARG TSHARK=tshark
# The real programs of harness/sockstates/programs.py. --no-install-recommends: no service manager
# comes along.
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        python3 \
        curl iproute2 iptables iputils-ping netcat-openbsd net-tools nftables nginx openssl \
        tcpdump telnet util-linux ${TSHARK} \
    && apt-get clean && rm -rf /var/lib/apt/lists/*

# Somebody to be, for a container that does not run as root: by number, as Kubernetes wants it.
RUN useradd --create-home --uid 1000 person

COPY --from=packages /opt/python /opt/python
WORKDIR /sockstates
COPY pyproject.toml conftest.py ./
COPY scenarios scenarios
ENV PATH=/opt/python/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    PYTHONDONTWRITEBYTECODE=1

# pytest is the container's first process, and ends the run within two seconds.
STOPSIGNAL SIGTERM
# Options of ours are known whatever stands behind them: pytest would take the folder of --lab-report
# for the one in which it is to look for its configuration.
ENTRYPOINT ["pytest", "-c", "/sockstates/pyproject.toml", "-p", "sockstates.plugin", \
    "-n", "auto", "-p", "no:cacheprovider", "--lab-require"]
CMD ["scenarios/"]
