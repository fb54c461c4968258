# All scenarios in a container. Build, then run (README.md says which permissions are needed, and
# what the container can do with fewer):
#     docker build -t sockstates .
#     docker run --rm --privileged --network none sockstates
FROM debian:bookworm

# The real programs of harness/sockstates/programs.py. --no-install-recommends: no service manager comes along.
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        python3 python3-venv \
        curl iproute2 iptables iputils-ping netcat-openbsd net-tools nftables nginx openssl \
        tcpdump telnet tshark util-linux \
    && rm -rf /var/lib/apt/lists/*

# Somebody to be, for a container that does not run as root.
RUN useradd --create-home person

WORKDIR /sockstates
COPY . .
RUN python3 -m venv /opt/python && /opt/python/bin/pip install --no-cache-dir --editable '.[parallel]'
ENV PATH=/opt/python/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    PYTHONDONTWRITEBYTECODE=1

ENTRYPOINT ["pytest", "-n", "auto", "-p", "no:cacheprovider", "--lab-require"]
CMD ["scenarios/"]
