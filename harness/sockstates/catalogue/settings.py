"""What can change how long a phenomenon takes: the names that an entry's marker may use.

A sysctl with or without its prefix (``tcp_retries2``), a socket option (``SO_KEEPALIVE``), a system
call (``listen(backlog)``), or in words a program's own (``curl: --max-time``). A table,
because the page must be the same on every machine. Pure.
"""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import Final

_TCP: Final = """
abort_on_overflow adv_win_scale allowed_congestion_control app_win autocorking
available_congestion_control backlog_ack_defer base_mss challenge_ack_limit child_ehash_entries
comp_sack_delay_ns comp_sack_nr comp_sack_rtt_percent comp_sack_slack_ns congestion_control dsack
early_demux early_retrans ecn ecn_fallback ecn_option ecn_option_beacon ehash_entries fastopen
fastopen_blackhole_timeout_sec fin_timeout frto invalid_ratelimit keepalive_intvl keepalive_probes
keepalive_time limit_output_bytes low_latency max_orphans max_reordering max_syn_backlog
max_tw_buckets mem migrate_req min_rtt_wlen min_snd_mss min_tso_segs moderate_rcvbuf
mtu_probe_floor mtu_probing no_metrics_save notsent_lowat orphan_retries pacing_ca_ratio
pacing_ss_ratio pingpong_thresh probe_interval probe_threshold recovery reflect_tos reordering
retrans_collapse retries1 retries2 rfc1337 rmem rto_max_ms rto_min_us sack shrink_window
slow_start_after_idle stdurg syn_linear_timeouts syn_retries synack_retries syncookies
thin_linear_timeouts timestamps tw_reuse tw_reuse_delay window_scaling wmem
"""
"""net/ipv4/sysctl_net_ipv4.c of Linux 6.1 and 7.3 together."""
_CONNTRACK: Final = """
tcp_be_liberal tcp_loose tcp_ignore_invalid_rst tcp_max_retrans tcp_timeout_close
tcp_timeout_close_wait tcp_timeout_established tcp_timeout_fin_wait tcp_timeout_last_ack
tcp_timeout_max_retrans tcp_timeout_syn_recv tcp_timeout_syn_sent tcp_timeout_time_wait
tcp_timeout_unacknowledged udp_timeout udp_timeout_stream max
"""
"""net/netfilter/nf_conntrack_standalone.c."""
_IPV4: Final = """
ip_local_port_range ip_local_reserved_ports ip_no_pmtu_disc ip_forward ip_nonlocal_bind
icmp_ratelimit icmp_ratemask udp_rmem_min udp_wmem_min route.mtu_expires route.min_pmtu
route.min_adv_mss
"""
_CORE: Final = "somaxconn rmem_max wmem_max rmem_default wmem_default netdev_max_backlog"
_NEIGHBOUR: Final = """
mcast_solicit ucast_solicit app_solicit retrans_time_ms base_reachable_time_ms gc_stale_time
unres_qlen unres_qlen_bytes delay_first_probe_time
"""
_OPTIONS: Final = """
SO_KEEPALIVE SO_LINGER SO_REUSEADDR SO_REUSEPORT SO_RCVBUF SO_SNDBUF SO_RCVTIMEO SO_SNDTIMEO
SO_ERROR SO_BINDTODEVICE
TCP_USER_TIMEOUT TCP_KEEPIDLE TCP_KEEPINTVL TCP_KEEPCNT TCP_SYNCNT TCP_LINGER2 TCP_DEFER_ACCEPT
TCP_NODELAY TCP_CORK TCP_QUICKACK TCP_MAXSEG TCP_WINDOW_CLAMP TCP_FASTOPEN TCP_FASTOPEN_CONNECT
TCP_NOTSENT_LOWAT TCP_CONGESTION TCP_RTO_MAX_MS TCP_RTO_MIN_US TCP_DELACK_MAX_US
IP_BIND_ADDRESS_NO_PORT IP_MTU_DISCOVER IPV6_MTU_DISCOVER IP_RECVERR IPV6_RECVERR IPV6_V6ONLY
O_NONBLOCK SOCK_NONBLOCK MSG_DONTWAIT MSG_NOSIGNAL MSG_MORE MSG_ZEROCOPY
RLIMIT_NOFILE
"""
"""socket(7), tcp(7), ip(7), ipv6(7), udp(7); flags that do the same; limits of getrlimit(2)."""
_CALLS: Final = """
accept bind close connect kill listen poll epoll_wait read recv select send sendto setsockopt
shutdown socket write getaddrinfo
"""
_PREFIXES: Final = (
    "net.ipv4.", "net.core.", "net.netfilter.", "net.ipv4.neigh.default.", "net.ipv6.neigh.default."
)  # fmt: skip

_LIKE_A_NAME: Final = re.compile(r"\b(?:net\.[\w.]+|(?:tcp|nf|SO|TCP|IP|IPV6)_\w+)")

SETTINGS: Final = frozenset(
    [f"tcp_{name}" for name in _TCP.split()]
    + [f"nf_conntrack_{name}" for name in _CONNTRACK.split()]
    + _IPV4.split()
    + _CORE.split()
    + _NEIGHBOUR.split()
)
OPTIONS: Final = frozenset(_OPTIONS.split())
CALLS: Final = frozenset(_CALLS.split())


def short(name: str) -> str:
    """A sysctl's name without its prefix; any other name as it is."""
    for prefix in sorted(_PREFIXES, key=len, reverse=True):
        if name.startswith(prefix):
            return name.removeprefix(prefix)
    return name


def is_name(text: str) -> bool:
    """Whether a marker names a setting by this text; if not, it says something in words."""
    return " " not in text


def unknown_setting(text: str) -> str | None:
    """What is wrong with what a marker calls a setting; None when it is one.

    In words, each that looks like a name of the kernel's has to be one.
    """
    names = [text] if is_name(text) else _LIKE_A_NAME.findall(text)
    wrong = next((name for name in names if not _is_known(name)), None)
    if wrong is None:
        return None
    near = get_close_matches(short(wrong), [*SETTINGS, *OPTIONS], n=1)
    return (
        f"{wrong!r} is not a setting"
        + (f"; did you mean {near[0]!r}?" if near else ".")
        + " A setting is a sysctl, a socket option, a call such as 'listen(backlog)', or, in "
        "several words, a program's own ('curl: --max-time')"
    )


def _is_known(name: str) -> bool:
    call = re.fullmatch(r"(\w+)\((.*)\)", name)
    return short(name) in SETTINGS or name in OPTIONS or bool(call and call[1] in CALLS)
